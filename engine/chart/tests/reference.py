"""Renders snippets with the real Helm engine: JSON lines of templates in, JSON lines of output or error out."""
import json, os, sys, tempfile
from helm_python import Chart

VALUES = json.load(open(sys.argv[1]))
with tempfile.TemporaryDirectory() as folder:
    os.makedirs(f'{folder}/t/templates')
    open(f'{folder}/t/Chart.yaml', 'w').write('apiVersion: v2\nname: t\nversion: 0.1.0\n')
    open(f'{folder}/t/file.txt', 'w').write('one\ntwo\n')
    for line in sys.stdin:
        open(f'{folder}/t/templates/x.txt', 'w').write(json.loads(line))
        try:
            chart = Chart.load(f'{folder}/t')
            answer = {'out': chart.render(VALUES, name='demo', namespace='demo-ns', is_install=True)['t/templates/x.txt']}
            chart.close()
        except Exception as error:
            answer = {'err': str(error)}
        print(json.dumps(answer), flush=True)
