"""The real Helm engine, one chart and values file at a time: what it prints, or why it refuses."""

import re
import time

import yaml
from helm_python import Chart, Config, disable_logging, values_from_yaml

EVENTS = {'pre-install', 'post-install', 'pre-delete', 'post-delete', 'pre-upgrade', 'post-upgrade', 'pre-rollback',
          'post-rollback', 'test', 'test-success'}
SEPARATOR = re.compile(r'(?:\A|\s*\n)---\s*')

disable_logging()


def documents(text):
    """A rendered file, cut as Helm cuts it."""
    return [part.lstrip() for part in SEPARATOR.split(text.lstrip()) if part.strip()]


def hooks(templates):
    """What of the rendered files are hooks: sources and texts."""
    found = []
    for path, text in sorted(templates.items()):
        if path.endswith('NOTES.txt') or path.rsplit('/', 1)[-1].startswith('_') or 'helm.sh/hook' not in text:
            continue
        for document in documents(text):
            try:
                head = yaml.load(document, yaml.CSafeLoader)
                events = head['metadata']['annotations']['helm.sh/hook']
            except (yaml.YAMLError, TypeError, KeyError):
                continue
            if all(event.strip().lower() in EVENTS for event in str(events).split(',')):
                found.append((path, document))
    return found


class Engine:
    """Renders as `helm template demo CHART --namespace demo-ns` does."""

    def __init__(self):
        self.config = Config(namespace='demo-ns', storage_driver='memory')

    def values(self, path):
        return values_from_yaml(open(path, encoding='utf8').read()) if path else None

    def render(self, folder, path):
        """Answers `(manifest, hooks)`; raises what Helm complains of. Charts keep traces of use: each is loaded anew."""
        values = self.values(path)
        with Chart.load(folder) as chart:
            manifest = self.config.install(chart, 'demo', values, namespace='demo-ns', dry_run='client').get('manifest', '')
        with Chart.load(folder) as chart:
            return manifest, hooks(chart.render(values, name='demo', namespace='demo-ns', is_install=True))

    def measure(self, folder):
        """Seconds of wall clock and of processor that loading and rendering once take."""
        wall, cpu = time.perf_counter(), time.process_time()
        with Chart.load(folder) as chart:
            chart.render(None, name='demo', namespace='demo-ns', is_install=True)
        return time.perf_counter() - wall, time.process_time() - cpu

    def measure_template(self, folder):
        """Seconds of wall clock that all of `helm template` takes: what was rendered is also read, sorted and put together."""
        start = time.perf_counter()
        with Chart.load(folder) as chart:
            self.config.install(chart, 'demo', None, namespace='demo-ns', dry_run='client')
        return time.perf_counter() - start
