"""parity.py KPKG FOLDER: every chart below FOLDER, with every values file it brings, rendered by kpkg and by Helm.

Verdicts: `equal` (manifests to the byte, hooks each to the byte), `refused` (both refuse), `reason` (both refuse, but
kpkg's message lacks Helm's), `different`, `fails` (only kpkg refuses), `accepts` (only Helm refuses). Helm renders twice:
what changes from one time to the next is random, and not compared."""

import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import time

from charts import charts, values_files

TIMEOUT = 120
SHOWN = 60
PEM = re.compile(r'-----BEGIN ([A-Z ]+)-----.*?-----END \1-----', re.S)


CLOCK = re.compile(r'\b\d{10}\b')
DAY = 86400


def timeless(text):
    """A text without the seconds since 1970 of today: two renderings may fall into one second, and ours into the next."""
    return CLOCK.sub(lambda it: 'NOW' if abs(int(it[0]) - time.time()) < DAY else it[0], text)


def flat(text):
    return re.sub(r'\s+', ' ', text)


def lines_match(first, second, ours):
    """Whether `ours` equals Helm's text wherever Helm agrees with itself."""
    if first == second:
        return first == ours
    first, second, ours = (text.split('\n') for text in (first, second, ours))
    if len(first) != len(second):
        return len(ours) > 0
    return len(first) == len(ours) and all(a == o or a != b for a, b, o in zip(first, second, ours))


def compare(drawn, output):
    """`None`, or the first difference between Helm's two renderings and kpkg's output."""
    # Keys and certificates made on the spot are not of one length.
    if drawn[0] != drawn[1]:
        output = PEM.sub('PEM', output)
        drawn = [(PEM.sub('PEM', manifest), [(source, PEM.sub('PEM', text)) for source, text in hooks])
                 for manifest, hooks in drawn]
    output = timeless(output)
    drawn = [(timeless(manifest), [(source, timeless(text)) for source, text in hooks]) for manifest, hooks in drawn]
    manifests = [manifest.strip() for manifest, _ in drawn]
    count = manifests[0].count('\n') + 1 if manifests[0] else 0
    lines = output.strip().split('\n')
    ours, rest = '\n'.join(lines[:count]), '\n'.join(lines[count:])
    if not lines_match(*manifests, ours):
        at = next((i for i, (a, o) in enumerate(zip(manifests[0].split('\n'), ours.split('\n'))) if a != o), count)
        pick = lambda text: text.split('\n')[at:at + 1]
        return f'line {at + 1}: want {pick(manifests[0])} got {pick(ours)}'
    blocks = re.split(r'(?m)^---\n(?=# Source: )', rest)
    left = [block.rstrip() for block in blocks if block.strip()]
    for (source, first), (_, second) in zip(drawn[0][1], drawn[1][1]):
        head = f'# Source: {source}\n'
        hit = next((it for it in left if lines_match((head + first).rstrip(), (head + second).rstrip(), it)), None)
        if hit is None:
            return f'hook of {source} differs or is missing'
        left.remove(hit)
    return f'unexpected: {left[0][:120]!r}' if left else None


def reference(folder, path):
    """Helm's two renderings, or its complaint; in a worker process, whose engine is made on first use."""
    global engine
    if 'engine' not in globals():
        from reference import Engine
        engine = Engine()
    try:
        return [engine.render(folder, path) for _ in range(2)], None
    except Exception as problem:
        return None, str(problem)


def judge(kpkg, folder, path, drawn, problem):
    command = [kpkg, 'template', 'demo', folder, '--namespace', 'demo-ns'] + (['-f', path] if path else [])
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return 'fails', 'runs too long'
    out, err = done.stdout.decode('utf8', 'replace'), done.stderr.decode('utf8', 'replace')
    if done.returncode not in (0, 1) or 'panicked at' in err:
        return 'fails', f'crashes: {err[-300:]}'
    if problem is not None:
        if done.returncode == 0:
            return 'accepts', flat(problem)[:300]
        core = flat(problem.split('): ')[-1].strip())[:80]
        return ('refused', '') if core in flat(err) else ('reason', f'want {core} got {flat(err)[:300]}')
    if done.returncode:
        return 'fails', flat(err)[:300]
    difference = compare(drawn, out)
    return ('different', difference) if difference else ('equal', '')


def main():
    kpkg, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    jobs = [(repository, folder, path) for repository, folder in charts(root)
            for path in [None, *values_files(folder)]]
    totals, shown = collections.defaultdict(collections.Counter), 0
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        answers = [pool.submit(reference, folder, path) for _, folder, path in jobs]
        for (repository, folder, path), answer in zip(jobs, answers):
            verdict, why = judge(kpkg, folder, path, *answer.result())
            if verdict == 'different':
                # Helm's renderings may fall into one second, or agree by chance, and ours not.
                again = pool.submit(reference, folder, path).result()
                verdict, why = judge(kpkg, folder, path, *again)
            totals[repository][verdict] += 1
            if why and shown < SHOWN:
                shown += 1
                case = os.path.relpath(folder, root) + (f' with {os.path.relpath(path, folder)}' if path else '')
                print(f'{verdict:9} {case}: {why}', flush=True)
    whole = sum(totals.values(), collections.Counter())
    for repository, count in [*sorted(totals.items()), ('all', whole)]:
        print(f'{repository:50} ' + ', '.join(f'{verdict} {number}' for verdict, number in count.most_common()))
    sys.exit(0 if set(whole) <= {'equal', 'refused'} else 1)


if __name__ == '__main__':
    main()
