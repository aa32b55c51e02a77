//! The last step into a container: finds the program and becomes it.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::system;

/// Executes `arguments` with exactly this environment. Returns only if that failed, with the words
/// that Kubernetes' users know.
pub(super) fn execute(arguments: &[CString], environment: &[CString]) -> io::Error {
    let Some(name) = arguments.first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no command specified");
    };
    let shown = name.to_string_lossy().escape_debug().to_string();
    let said = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    match find(name, environment) {
        Err(error) => io::Error::new(error.kind(), format!("exec: \"{shown}\": {error}")),
        Ok(program) => {
            system::reset_signals();
            let error = system::execute(&program, arguments, environment);
            io::Error::new(error.kind(), format!("exec: \"{shown}\": {}", said(&error)))
        }
    }
}

/// The program's path: as given if it has a slash, else the first match in `PATH`.
fn find(name: &CStr, environment: &[CString]) -> io::Result<PathBuf> {
    let name = OsStr::from_bytes(name.to_bytes());
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match check(&path) {
            Found::Executable => Ok(path),
            Found::Forbidden => Err(io::Error::new(io::ErrorKind::PermissionDenied, "permission denied")),
            Found::Directory => Err(io::Error::new(io::ErrorKind::PermissionDenied, "is a directory")),
            Found::Nothing => Err(io::Error::new(io::ErrorKind::NotFound, "stat: no such file or directory")),
        };
    }
    let path = environment.iter().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH=")).unwrap_or_default();
    let mut forbidden = false;
    for directory in path.split(|byte| *byte == b':').filter(|directory| !directory.is_empty()) {
        let candidate = Path::new(OsStr::from_bytes(directory)).join(name);
        match check(&candidate) {
            Found::Executable => return Ok(candidate),
            Found::Forbidden => forbidden = true,
            Found::Directory | Found::Nothing => {}
        }
    }
    Err(if forbidden {
        io::Error::new(io::ErrorKind::PermissionDenied, "permission denied")
    } else {
        io::Error::new(io::ErrorKind::NotFound, "executable file not found in $PATH")
    })
}

enum Found {
    Executable,
    Forbidden,
    Directory,
    Nothing,
}

fn check(path: &Path) -> Found {
    let Ok(metadata) = path.metadata() else { return Found::Nothing };
    if metadata.is_dir() {
        return Found::Directory;
    }
    // Not even root may execute what nobody may.
    let is_executable = metadata.mode() & 0o111 != 0
        && rustix::fs::accessat(rustix::fs::CWD, path, rustix::fs::Access::EXEC_OK, rustix::fs::AtFlags::EACCESS)
            .is_ok();
    if is_executable { Found::Executable } else { Found::Forbidden }
}
