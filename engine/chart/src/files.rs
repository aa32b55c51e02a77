//! `.Files`: a chart's other files, by name or by pattern.

use std::any::Any;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kpkg_template::{Context, Entries, Failure, Kind, Object, Signature, Text, Type, Value, print_bytes, to_yaml};

use crate::chart::File;
use crate::file_name::FileName;
use crate::glob::{Glob, Stop};

/// Files by name.
pub(crate) struct Files(BTreeMap<FileName, File>);

impl Files {
    pub(crate) fn new(files: &[File]) -> Self {
        Self(files.iter().map(|file| (file.name.clone(), file.clone())).collect())
    }

    fn get(&self, name: &str) -> Text {
        self.0.get(name).map_or_else(|| "".into(), |file| file.data().into())
    }

    fn glob(&self, context: &mut Context, pattern: &str) -> Result<Self, Failure> {
        // Neighbours are joined pair by pair.
        context.charge((pattern.len() as u64).pow(2)).map_err(Failure::limit)?;
        let glob = Glob::parse(pattern);
        let mut found = BTreeMap::new();
        for (name, file) in &self.0 {
            let (is_match, steps) = glob.matches(name).map_err(refusal)?;
            context.charge(steps).map_err(Failure::limit)?;
            if is_match {
                found.insert(name.clone(), file.clone());
            }
        }
        Ok(Self(found))
    }

    /// The last part of each name, and the contents, as a YAML mapping; nothing if YAML cannot hold them.
    fn as_yaml(&self, text: impl Fn(&[u8]) -> Value) -> Vec<u8> {
        let entries: Entries = self.0.iter().map(|(name, file)| (base(name).into(), text(file.data()))).collect();
        let mut yaml = to_yaml(&Value::map(entries)).unwrap_or_default();
        yaml.pop();
        yaml
    }

    fn lines(&self, name: &str) -> Result<Value, Failure> {
        let Some(file) = self.0.get(name) else { return Ok(Value::strings(Vec::<Text>::new())) };
        let bytes = file.data();
        if bytes.is_empty() {
            // Helm looks at the last byte of a file that is there; one that is empty in an archive is as good as none.
            let failure = Failure::new("runtime error: index out of range [-1]");
            return if file.is_of_folder() { Err(failure) } else { Ok(Value::strings(Vec::<Text>::new())) };
        }
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Ok(Value::strings(bytes.split(|byte| *byte == b'\n').map(Text::from)))
    }
}

fn refusal(stop: Stop) -> Failure {
    match stop {
        Stop::OutOfRange { .. } => Failure::new(stop.to_string()),
        Stop::TooSlow | Stop::TooLarge => Failure::limit(stop.to_string()),
    }
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn argument(args: &[Value]) -> String {
    match args.first() {
        Some(Value::String(text)) => text.to_string(),
        _ => String::new(),
    }
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn print(&self) -> String {
        let mut out = b"map[".to_vec();
        for (index, (name, file)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            print_bytes(file.data(), &mut out);
        }
        out.push(b']');
        String::from_utf8(out).unwrap_or_else(|error| kpkg_gounicode::lossy(error.as_bytes()).into_owned())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn truth(&self) -> bool {
        !self.0.is_empty()
    }

    fn method(&self, name: &str) -> Option<Signature> {
        let params: &'static [Type] = match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => &[Type::String],
            "AsConfig" | "AsSecrets" => &[],
            _ => return None,
        };
        Some(Signature { params, variadic: false })
    }

    fn call(&self, context: &mut Context, name: &str, args: &[Value]) -> Result<Value, Failure> {
        let argument = argument(args);
        Ok(match name {
            "Get" => {
                let text = self.get(&argument);
                context.spend(text.len())?;
                Value::String(text)
            }
            "GetBytes" => Value::bytes(self.get(&argument)),
            "Glob" => Value::object(self.glob(context, &argument)?),
            "Lines" => self.lines(&argument)?,
            "AsConfig" => {
                let text = self.as_yaml(|data| Text::from(data).into());
                context.spend(text.len())?;
                text.into()
            }
            _ => {
                let text = self.as_yaml(|data| STANDARD.encode(data).into());
                context.spend(text.len())?;
                text.into()
            }
        })
    }

    fn entries(&self) -> Option<Entries> {
        Some(self.0.iter().map(|(name, file)| ((**name).into(), Value::bytes(file.data()))).collect())
    }

    fn plain(&self) -> Value {
        Value::map(self.entries().unwrap_or_default())
    }
}
