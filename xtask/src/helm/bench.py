"""bench.py KPKG HELM FOLDER: `kpkg template` against the real `helm template`, and against the engine alone.

First both programs as whole processes, in turn. Then kpkg, its start included, against the engine warm in a process of its
own, whose start is not counted: loading and rendering alone, and all that `helm template` does, which reads what was rendered
as YAML, too, and sorts it, as `kpkg template` must.
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
    """Wall seconds, processor seconds and exit code of a process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, child.returncode


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


def engine_best(folder):
    """Seconds for rendering and for all of `helm template`, and memory; in a process of its own, so that it is this chart's."""
    done = subprocess.run([sys.executable, __file__, '--engine', folder], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def engine_rounds(folder):
    import resource

    from reference import Engine
    engine = Engine()
    rendering = min(engine.measure(folder)[0] for _ in range(ROUNDS))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([rendering, min(engine.measure_template(folder) for _ in range(ROUNDS)), memory]))


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
    print(f'wall clock, the best of {ROUNDS}, and memory at its peak')
    print(f'{"chart":23} | {"kpkg":>10} {"helm":>11} {"faster":>7} {"kpkg":>9} {"helm":>9} {"of it":>6}'
          f' | {"engine renders":>14} {"faster":>7} {"does all":>11} {"faster":>7} {"memory":>9} {"of it":>6}')
    for name, folder in subjects:
        engine = folder and engine_best(folder)
        if not engine:
            print(f'{name:23} not below the folder' if not folder else f'{name:23} Helm refuses it')
            continue
        (wall, memory, fine), (whole, whole_memory, _) = in_turn([template(kpkg, folder), template(helm, folder)])
        if not fine:
            print(f'{name:23} kpkg refuses it')
            continue
        rendering, everything, engine_memory = engine
        print(f'{name:23} | {wall * 1e3:7.1f} ms {whole * 1e3:8.1f} ms {whole / wall:6.1f}x'
              f' {memory / 1e6:6.1f} MB {whole_memory / 1e6:6.1f} MB {memory / whole_memory:5.2f}x'
              f' | {rendering * 1e3:11.1f} ms {rendering / wall:6.1f}x {everything * 1e3:8.1f} ms {everything / wall:6.1f}x'
              f' {engine_memory / 1e6:6.1f} MB {memory / engine_memory:5.2f}x', flush=True)


def sweep(kpkg, root):
    from reference import Engine
    engine, ours, theirs, count = Engine(), 0.0, 0.0, 0
    folders = [folder for _, folder in charts(root)]
    print(f'each of {len(folders)} charts once, with default values ...', flush=True)
    for folder in folders:
        try:
            _, cpu = engine.measure(folder)
        except Exception:
            continue
        _, own, code = run(template(kpkg, folder))
        if code == 0:
            ours, theirs, count = ours + own, theirs + cpu, count + 1
    if count:
        print(f'processor time of the {count} that both render: kpkg {ours:.2f} s (whole processes), '
              f'Helm {theirs:.2f} s (loading and rendering alone), {theirs / ours:.1f}x')


def main():
    if sys.argv[1] == '--engine':
        return engine_rounds(sys.argv[2])
    kpkg, helm, root = (os.path.abspath(path) for path in sys.argv[1:4])
    with tempfile.TemporaryDirectory() as scratch:
        subjects = [(name, named(root, name)) for name in CHARTS]
        table(kpkg, helm, [*subjects, (f'umbrella of {SUBCHARTS}', umbrella(f'{scratch}/umbrella'))])
    sweep(kpkg, root)


if __name__ == '__main__':
    main()
