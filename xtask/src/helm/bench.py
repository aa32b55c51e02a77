"""bench.py KPKG FOLDER: `kpkg template` as a whole process against the real engine in its own.

The engine is warm there, and its process's start is not counted. It is measured twice: loading and rendering alone, and all
that `helm template` does, which reads what was rendered as YAML, too, and sorts it, as `kpkg template` must.
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
    """Wall seconds, processor seconds, peak bytes and exit code of a process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, child.returncode


def kpkg_best(kpkg, folder):
    """The quickest of some rounds, and the greatest memory."""
    rounds = [run([kpkg, 'template', 'demo', folder, '--namespace', 'demo-ns']) for _ in range(ROUNDS)]
    return min(it[0] for it in rounds), max(it[2] for it in rounds), rounds[0][3]


def helm_best(folder):
    """Seconds for rendering and for all of `helm template`, and memory; in a process of its own, so that it is this chart's."""
    done = subprocess.run([sys.executable, __file__, '--helm', folder], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def helm(folder):
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


def table(kpkg, subjects):
    print(f'wall clock, the best of {ROUNDS}, and memory at its peak')
    print(f'{"chart":23} {"kpkg":>10} {"Helm renders":>13} {"faster":>7} {"helm template":>14} {"faster":>7}'
          f' {"kpkg":>8} {"Helm":>9} {"of it":>6}')
    for name, folder in subjects:
        theirs = folder and helm_best(folder)
        if not theirs:
            print(f'{name:23} not below the folder' if not folder else f'{name:23} Helm refuses it')
            continue
        wall, memory, code = kpkg_best(kpkg, folder)
        if code:
            print(f'{name:23} kpkg refuses it')
            continue
        rendering, template, theirs = theirs
        print(f'{name:23} {wall * 1e3:7.1f} ms {rendering * 1e3:10.1f} ms {rendering / wall:6.1f}x'
              f' {template * 1e3:11.1f} ms {template / wall:6.1f}x'
              f' {memory / 1e6:5.1f} MB {theirs / 1e6:6.1f} MB {memory / theirs:5.2f}x', flush=True)


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
        _, own, _, code = run([kpkg, 'template', 'demo', folder, '--namespace', 'demo-ns'])
        if code == 0:
            ours, theirs, count = ours + own, theirs + cpu, count + 1
    if count:
        print(f'processor time of the {count} that both render: kpkg {ours:.2f} s (whole processes), '
              f'Helm {theirs:.2f} s (loading and rendering alone), {theirs / ours:.1f}x')


def main():
    if sys.argv[1] == '--helm':
        return helm(sys.argv[2])
    kpkg, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    with tempfile.TemporaryDirectory() as scratch:
        subjects = [(name, named(root, name)) for name in CHARTS]
        table(kpkg, [*subjects, (f'umbrella of {SUBCHARTS}', umbrella(f'{scratch}/umbrella'))])
    sweep(kpkg, root)


if __name__ == '__main__':
    main()
