"""Charts below a folder, and the values files they bring along."""

import glob
import os
import re

PATTERNS = ['ci/**/*.yaml', 'ci/**/*.yml', 'values-*.yaml', 'values.*.yaml', 'values_*.yaml', '*-values.yaml',
            '*.values.yaml', 'examples/**/*.yaml', 'example*/**/*.yml', 'test*/**/*values*.yaml',
            'unittests/**/values/*.yaml', 'test*/values/**/*.yaml']
NO_VALUES = re.compile(r'/(rendered|__snapshots__|templates)/|Chart\.yaml$|kustomization\.ya?ml$')


def charts(root):
    """The folders that hold a chart, subcharts aside, as `(repository, path)`."""
    for folder, inner, files in os.walk(root):
        inner.sort()
        if 'Chart.yaml' in files:
            inner.clear()
            relative = os.path.relpath(folder, root)
            yield (relative.split(os.sep)[0] if os.sep in relative else '.'), folder


def named(root, name):
    """The folder of the chart called `name`."""
    return next((folder for _, folder in charts(root) if os.path.basename(folder) == name), None)


def values_files(folder):
    """The chart's own examples of values."""
    found = []
    for pattern in PATTERNS:
        for path in sorted(glob.glob(f'{folder}/{pattern}', recursive=True)):
            inner = path[len(folder):]
            if path not in found and '/charts/' not in inner and not NO_VALUES.search(inner) and inner != '/values.yaml':
                found.append(path)
    return found
