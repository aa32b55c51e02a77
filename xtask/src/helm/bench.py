"""bench.py KPKG HELM FOLDER: `kpkg template` against the real Helm, in three ways.

- The program: `helm template` as a whole process, in turn with kpkg.
- The engine once: loading and rendering in a process of its own, the engine's start included (Python's is not).
- The engine warm: the quickest of many rounds in one process, its start not counted. Once loading and rendering, once all
  that `helm template` does: it also reads what was rendered as YAML and sorts it, as `kpkg template` must.

kpkg is measured with its start in all of them.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from charts import charts, named

CHARTS = ['wordpress', 'kube-prometheus-stack', 'argo-cd', 'datadog']
ROUNDS = 15
SUBCHARTS = 100


def run(command):
    """Wall seconds, processor seconds and exit code of a process, without what Python's own `subprocess` takes."""
    silence = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=silence)
    _, status, usage = os.wait4(child, 0)
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status)


def peak(command):
    """Bytes of memory that a process takes at its peak; time(1) starts it, as Python's own memory would count as its."""
    done = subprocess.run(['time', '--quiet', '-f', '%M', *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(done.stderr.split()[-1]) * 1024


def in_turn(commands):
    """Of each command the quickest of some rounds, the peak of its memory, and whether all went well."""
    rounds = [[run(command) for command in commands] for _ in range(ROUNDS)]
    return [(min(wall for wall, _, _ in runs), peak(command), not any(code for _, _, code in runs))
            for command, runs in zip(commands, zip(*rounds))]


def template(program, folder):
    return [program, 'template', 'demo', folder, '--namespace', 'demo-ns']


def engine(mode, folder):
    """What this script measures as a process of its own, so that the figures are this chart's; nothing if Helm refuses it."""
    done = subprocess.run([sys.executable, __file__, mode, folder], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def once(folder):
    """Seconds for the engine's start, loading and rendering."""
    start = time.perf_counter()
    from helm_python import Chart
    with Chart.load(folder) as chart:
        chart.render(None, name='demo', namespace='demo-ns', is_install=True)
    return time.perf_counter() - start


def warm(folder):
    """Seconds for rendering and for all of `helm template`, and the bytes that the process has taken."""
    import resource

    from reference import Engine
    helm = Engine()
    rendering = min(helm.measure(folder)[0] for _ in range(ROUNDS))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return rendering, min(helm.measure_template(folder) for _ in range(ROUNDS)), memory


def umbrella(folder):
    """A chart of many subcharts, each with a deployment, a service, a config map and helpers."""
    def write(path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, 'w').write(text)
    names = [f'part{number:03}' for number in range(SUBCHARTS)]
    write(f'{folder}/Chart.yaml', 'apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n'
          + ''.join(f'  - {{name: {name}, version: 1.0.0, condition: {name}.enabled}}\n' for name in names))
    write(f'{folder}/values.yaml', 'global: {zone: west}\n' + ''.join(f'{name}: {{enabled: true}}\n' for name in names))
    for name in names:
        inner = f'{folder}/charts/{name}'
        write(f'{inner}/Chart.yaml', f'apiVersion: v2\nname: {name}\nversion: 1.0.0\nappVersion: "2.1"\n')
        write(f'{inner}/values.yaml', VALUES)
        write(f'{inner}/templates/_helpers.tpl', HELPERS.replace('NAME', name))
        for kind, text in OBJECTS.items():
            write(f'{inner}/templates/{kind}.yaml', text.replace('NAME', name))
    return folder


VALUES = '''
replicas: 2
image: {repository: example.org/app, tag: "", pullPolicy: IfNotPresent}
service: {type: ClusterIP, port: 80}
resources: {limits: {cpu: 100m, memory: 128Mi}, requests: {cpu: 10m, memory: 64Mi}}
env: {LOG: info, MODE: fast, ZONE: "{{ .Values.global.zone }}"}
labels: {team: blue, tier: backend}
'''
HELPERS = '''
{{- define "NAME.fullname" -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end }}
{{- define "NAME.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
'''
META = 'metadata:\n  name: {{ include "NAME.fullname" . }}\n  labels:\n    {{- include "NAME.labels" . | nindent 4 }}\n'
OBJECTS = {
    'configmap': 'apiVersion: v1\nkind: ConfigMap\n' + META
    + 'data:\n  {{- range $key, $value := .Values.env }}\n  {{ $key }}: {{ tpl $value $ | quote }}\n  {{- end }}\n',
    'service': 'apiVersion: v1\nkind: Service\n' + META + '''spec:
  type: {{ .Values.service.type }}
  ports:
    - port: {{ .Values.service.port }}
      targetPort: http
  selector:
    app.kubernetes.io/instance: {{ .Release.Name }}
''',
    'deployment': 'apiVersion: apps/v1\nkind: Deployment\n' + META + '''spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels:
      app.kubernetes.io/instance: {{ .Release.Name }}
  template:
    metadata:
      annotations:
        checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
      labels:
        {{- include "NAME.labels" . | nindent 8 }}
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
''',
}


def table(kpkg, helm, subjects):
    measured = {}
    print(f'wall clock, the best of {ROUNDS}')
    print(f'{"chart":23} {"kpkg":>10} {"helm template":>19} {"engine once":>19} {"warm: renders":>19} {"warm: all":>19}')
    for name, folder in subjects:
        if not folder or not engine('--once', folder):
            print(f'{name:23} {"Helm refuses it" if folder else "not below the folder"}')
            continue
        (wall, memory, fine), (program, program_memory, _) = in_turn([template(kpkg, folder), template(helm, folder)])
        if not fine:
            print(f'{name:23} kpkg refuses it')
            continue
        rendering, everything, engine_memory = engine('--warm', folder)
        times = [program, min(engine('--once', folder) for _ in range(ROUNDS)), rendering, everything]
        shown = ''.join(f' {seconds * 1e3:8.1f} ms {seconds / wall:6.1f}x' for seconds in times)
        print(f'{name:23} {wall * 1e3:7.1f} ms{shown}', flush=True)
        measured[name] = memory, program_memory, engine_memory
    print('memory at its peak, and kpkg\'s part of it')
    print(f'{"chart":23} {"kpkg":>10} {"helm template":>19} {"engine, warm":>19}')
    for name, (memory, *others) in measured.items():
        shown = ''.join(f' {other / 1e6:8.1f} MB {memory / other:6.2f}x' for other in others)
        print(f'{name:23} {memory / 1e6:7.1f} MB{shown}')


def sweep(kpkg, root):
    from reference import Engine
    helm, ours, theirs, count = Engine(), 0.0, 0.0, 0
    folders = [folder for _, folder in charts(root)]
    print(f'each of {len(folders)} charts once, with default values ...', flush=True)
    for folder in folders:
        try:
            _, cpu = helm.measure(folder)
        except Exception:
            continue
        _, own, code = run(template(kpkg, folder))
        if code == 0:
            ours, theirs, count = ours + own, theirs + cpu, count + 1
    if count:
        print(f'processor time of the {count} that both render: kpkg {ours:.2f} s (whole processes), '
              f'Helm {theirs:.2f} s (loading and rendering alone), {theirs / ours:.1f}x')


def main():
    modes = {'--once': once, '--warm': warm}
    if sys.argv[1] in modes:
        return print(json.dumps(modes[sys.argv[1]](sys.argv[2])))
    kpkg, helm, root = (os.path.abspath(path) for path in sys.argv[1:4])
    with tempfile.TemporaryDirectory() as scratch:
        subjects = [(name, named(root, name)) for name in CHARTS]
        table(kpkg, helm, [*subjects, (f'umbrella of {SUBCHARTS}', umbrella(f'{scratch}/umbrella'))])
    sweep(kpkg, root)


if __name__ == '__main__':
    main()
