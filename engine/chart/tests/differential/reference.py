"""Asks the real Helm engine: lines of JSON in, lines of output or complaint out. Questions are
{"template": text, "values": {...}}: the text, rendered in a small chart;
{"set": option, "text": assignments}: the values that they make;
{"files": {path: text}, "values": {...}}: the manifests of a chart of these files."""
import json, os, shutil, sys, tempfile
import helm_python as helm

SETS = {'--set': helm.parse_set_string, '--set-string': helm.parse_set_string_values,
        '--set-json': helm.parse_set_json, '--set-literal': helm.parse_set_literal}
helm.disable_logging()
config = helm.Config(namespace='demo-ns', storage_driver='memory')


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf8', newline='') as file:
        file.write(text)


def snippet(folder, ask):
    if not os.path.exists(folder):
        write(f'{folder}/Chart.yaml', 'apiVersion: v2\nname: t\nversion: 0.1.0\n')
        write(f'{folder}/file.txt', 'one\ntwo\n')
    write(f'{folder}/templates/x.txt', ask['template'])
    with helm.Chart.load(folder) as chart:
        return chart.render(ask['values'], name='demo', namespace='demo-ns', is_install=True)['t/templates/x.txt']


def tree(folder, ask):
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in ask['files'].items():
        write(f'{folder}/{path}', text)
    with helm.Chart.load(folder) as chart:
        return config.install(chart, 'demo', ask['values'], namespace='demo-ns', dry_run='client').get('manifest', '')


def answer(scratch, ask):
    if 'set' in ask:
        return json.dumps(SETS[ask['set']](ask['text']), sort_keys=True, ensure_ascii=False)
    return snippet(f'{scratch}/t', ask) if 'template' in ask else tree(f'{scratch}/tree', ask)


with tempfile.TemporaryDirectory() as scratch:
    for line in sys.stdin:
        try:
            reply = {'out': answer(scratch, json.loads(line))}
        except Exception as error:
            reply = {'err': str(error)}
        print(json.dumps(reply), flush=True)
