//! One kustomization: its resources, and what it does to them.

mod transformers;

use std::rc::Rc;

use crate::build::Session;
use crate::config::{Config, from_crds, from_value};
use crate::documents::{check, read_resources};
use crate::error::{Error, Result, Within};
use crate::files::Folder;
use crate::function;
use crate::generate::{DataKind, generate, hash_names};
use crate::kustomization::{GeneratorOptions, HelmChart, HelmGlobals, Kustomization};
use crate::origin::Origin;
use crate::plugin;
use crate::reference;
use crate::remote::{Address, is_http, is_repository};
use crate::resource::Resource;
use crate::set::ResourceSet;
use crate::variable::Variables;
use kpkg_gopath::clean;

/// What has come together so far.
#[derive(Default)]
struct Accumulated {
    set: ResourceSet,
    config: Rc<Config>,
    variables: Variables,
}

impl Accumulated {
    fn add_config(&mut self, config: &Rc<Config>) -> Result<()> {
        self.config = self.config.merged(config)?;
        Ok(())
    }

    fn absorb(&mut self, other: Self) -> Result<()> {
        self.set.append_all(other.set.into_list())?;
        self.add_config(&other.config)?;
        self.variables.merge(other.variables)
    }
}

/// A kustomization in its folder.
pub(crate) struct Target<'a> {
    folder: Rc<Folder>,
    kustomization: Kustomization,
    file: &'static str,
    session: &'a Session<'a>,
    /// Where it lies, seen from the first folder, if that is to be told.
    origin: Option<Origin>,
    /// The namespace that charts inherit.
    chart_namespace: String,
}

impl<'a> Target<'a> {
    /// Reads the kustomization of the folder that is built.
    pub(crate) fn load(folder: Rc<Folder>, session: &'a Session<'a>) -> Result<Self> {
        let mut target = Self::read(folder, session)?;
        target.origin = (!target.kustomization.build_metadata.is_empty()).then(Origin::default);
        session.set_schema(&target.kustomization.openapi, &target.folder)?;
        Ok(target)
    }

    fn read(folder: Rc<Folder>, session: &'a Session<'a>) -> Result<Self> {
        let (text, file) = folder.kustomization()?;
        let kustomization = Kustomization::read(&text)
            .within(|| format!("Failed to read kustomization file {}", folder.root.join(file).display()))?;
        kustomization.warnings().into_iter().for_each(|warning| session.warn(warning));
        Ok(Self { folder, kustomization, file, session, origin: None, chart_namespace: String::new() })
    }

    pub(crate) fn kustomization(&self) -> &Kustomization {
        &self.kustomization
    }

    /// Builds the whole: what must happen once, at the end, follows the accumulation.
    pub(crate) fn build(&self, given: Vec<Resource>) -> Result<ResourceSet> {
        let mut all = Accumulated::default();
        all.set.append_all(given)?;
        self.session.observe(&mut all.set, || "the manifests given".to_owned());
        let mut all = self.accumulate(all)?;
        let config = Rc::clone(&all.config);
        hash_names(&mut all.set)?;
        self.session.observe(&mut all.set, || "the hash of its content".to_owned());
        reference::update(&mut all.set, &config)?;
        self.session.observe(&mut all.set, || "the new name of what it refers to".to_owned());
        let unused = all.variables.resolve(&mut all.set, &config)?;
        self.session.observe(&mut all.set, || "variables".to_owned());
        if !unused.is_empty() {
            self.session.warn(format!("well-defined vars that were never replaced: {}", unused.join(",")));
        }
        drop_local(&mut all.set)?;
        Ok(all.set)
    }

    /// The stages, in their order.
    fn accumulate(&self, mut all: Accumulated) -> Result<Accumulated> {
        self.add_paths(&mut all, &self.kustomization.resources).within(|| "accumulating resources".to_owned())?;
        self.add_configurations(&mut all)?;
        self.generate(&mut all)?;
        let mut all = self.add_components(all)?;
        self.transform(&mut all)?;
        self.validate(&mut all)?;
        let vars = self.kustomization.vars.iter().flatten().cloned().collect::<Vec<_>>();
        all.variables.add(&vars, &mut all.set).within(|| "merging vars".to_owned())?;
        Ok(all)
    }

    fn add_paths(&self, all: &mut Accumulated, paths: &[String]) -> Result<()> {
        paths.iter().try_for_each(|path| self.add_path(all, path))
    }

    fn add_path(&self, all: &mut Accumulated, path: &str) -> Result<()> {
        if self.session.has_charts() && self.folder.is_chart(path) {
            return self.add_chart(all, path).within(|| format!("accumulating chart '{path}'"));
        }
        if self.folder.is_folder(path) || is_repository(path) {
            return self.add_folder(all, path);
        }
        let as_file = self.add_file(all, path).within(|| format!("accumulating resources from '{path}'"));
        // An address of which nothing can be got may be a repository's.
        match as_file {
            Err(file) if is_http(path) && Address::parse(path).is_some() => self
                .add_folder(all, path)
                .map_err(|folder| Error::rule(format!("accumulation err='{}': {}", file.chain(), folder.chain()))),
            done => done,
        }
    }

    /// A chart, rendered with its own values under the name of its folder.
    fn add_chart(&self, all: &mut Accumulated, path: &str) -> Result<()> {
        let (home, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or((".", path));
        let release = name.strip_suffix(".tgz").unwrap_or(name);
        let chart = HelmChart {
            name: name.to_owned(),
            release_name: release.to_owned(),
            namespace: self.chart_namespace().to_owned(),
            ..HelmChart::default()
        };
        let globals = HelmGlobals { chart_home: home.to_owned(), ..HelmGlobals::default() };
        let resources = self.session.inflate(&chart, &globals, &self.folder)?;
        all.set.append_all(resources)?;
        self.session.observe(&mut all.set, || format!("chart {path}"));
        Ok(())
    }

    /// The namespace that charts inherit.
    fn chart_namespace(&self) -> &str {
        let namespace = &self.kustomization.namespace;
        if namespace.is_empty() { &self.chart_namespace } else { namespace }
    }

    fn add_file(&self, all: &mut Accumulated, path: &str) -> Result<()> {
        let text = self.folder.read_text(path, self.session.remote())?;
        let mut resources = read_resources(&text, path)?;
        self.session.note_resources(&resources);
        let place: Rc<str> = self.place(path).into();
        for resource in &mut resources {
            resource.memory.source = Rc::clone(&place);
            resource.memory.origin = self.origin.as_ref().map(|origin| origin.join(path));
        }
        all.set.append_all(resources).within(|| format!("merging resources from '{path}'"))?;
        self.session.observe(&mut all.set, || place.to_string());
        Ok(())
    }

    /// Where a file is, seen from the folder that is built.
    fn place(&self, path: &str) -> String {
        if is_http(path) {
            return path.to_owned();
        }
        clean(&format!("{}{path}", self.session.place(&self.folder.root)))
    }

    fn add_folder(&self, all: &mut Accumulated, path: &str) -> Result<()> {
        let sub = self.enter(path)?;
        let refused = sub.kustomization.is_component();
        if refused {
            return Err(Error::rule(format!("expected kind != 'Component' for path '{}'", sub.folder.root.display())));
        }
        let added = sub
            .accumulate(Accumulated::default())
            .within(|| format!("recursed accumulation of path '{}'", sub.folder.root.display()))?;
        all.absorb(added).within(|| format!("recursed merging from path '{}'", sub.folder.root.display()))
    }

    /// The kustomization in a folder that this one names.
    fn enter(&self, path: &str) -> Result<Self> {
        let folder = self.folder.enter(path, self.session.remote())?;
        let root = folder.root.clone();
        let mut sub = Self::read(folder, self.session)
            .within(|| format!("couldn't make target for path '{}'", root.display()))?;
        sub.session.set_schema(&sub.kustomization.openapi, &sub.folder)?;
        sub.origin = self.origin.as_ref().map(|origin| origin.join(path));
        sub.chart_namespace = self.chart_namespace().to_owned();
        Ok(sub)
    }

    fn add_components(&self, mut all: Accumulated) -> Result<Accumulated> {
        for path in &self.kustomization.components {
            let sub = self.enter(path).within(|| format!("accumulating components: {path}"))?;
            if !sub.kustomization.is_component() {
                return Err(Error::rule(format!(
                    "accumulating components: expected kind 'Component' for path '{}' but got '{}'",
                    sub.folder.root.display(),
                    sub.kustomization.kind
                )));
            }
            all = sub.accumulate(all).within(|| format!("accumulating components: {path}"))?;
        }
        Ok(all)
    }

    /// Adds the built-in rules, those of configuration files, and those that definitions of CRDs are annotated with.
    fn add_configurations(&self, all: &mut Accumulated) -> Result<()> {
        let mut rules = Config::built_in();
        if !self.kustomization.configurations.is_empty() {
            rules = rules.merged(&self.read_rules(&self.kustomization.configurations, from_value)?)?;
        }
        all.add_config(&rules)?;
        if !self.kustomization.crds.is_empty() {
            all.add_config(&self.read_rules(&self.kustomization.crds, from_crds)?)?;
        }
        Ok(())
    }

    fn read_rules(&self, paths: &[String], read: fn(&serde_json::Value) -> Result<Config>) -> Result<Rc<Config>> {
        let mut rules = Rc::new(Config::default());
        for path in paths {
            let text = self.folder.read_text(path, self.session.remote())?;
            let yaml = kpkg_yaml::read(&text).map_err(|source| Error::Yaml { place: path.clone(), source })?;
            rules = rules.merged(&Rc::new(read(&yaml.to_json()).within(|| format!("reading {path}"))?))?;
        }
        Ok(rules)
    }

    fn built_in_origin(&self, kind: &str) -> Option<Origin> {
        self.origin.as_ref().map(|origin| origin.built_in(self.file, kind))
    }

    fn generate(&self, all: &mut Accumulated) -> Result<()> {
        let kinds = [
            (DataKind::ConfigMap, "ConfigMapGenerator", &self.kustomization.config_map_generator),
            (DataKind::Secret, "SecretGenerator", &self.kustomization.secret_generator),
        ];
        let mut generated = Vec::new();
        for (kind, name, list) in kinds {
            for args in list {
                let options =
                    GeneratorOptions::merged(args.options.as_ref(), self.kustomization.generator_options.as_ref());
                let made = generate(kind, args, options.as_ref(), &self.folder, self.session.remote())
                    .within(|| format!("generating {}", args.name))?;
                generated.push((vec![made], self.built_in_origin(name)));
            }
        }
        let globals = self.kustomization.helm_globals.clone().unwrap_or_default();
        for chart in &self.kustomization.helm_charts {
            let mut chart = chart.clone();
            if chart.namespace.is_empty() {
                self.chart_namespace().clone_into(&mut chart.namespace);
            }
            let made = self.session.inflate(&chart, &globals, &self.folder)?;
            generated.push((made, self.built_in_origin("HelmChartInflationGenerator")));
        }
        for config in self.plugins(&self.kustomization.generators)? {
            let made = plugin::run_generator(&config, &self.folder, self.session)
                .within(|| format!("running generator {}", config.id()))?;
            generated.push((made, configured_origin(&config)));
        }
        for (mut made, origin) in generated {
            for resource in made.iter_mut().filter(|resource| resource.memory.origin.is_none()) {
                resource.memory.origin.clone_from(&origin);
            }
            all.set.absorb_all(made).within(|| "merging from generator".to_owned())?;
            self.session.observe(&mut all.set, || format!("a generator in {}", self.place(self.file)));
        }
        Ok(())
    }

    /// The objects that configure plugins, from the list itself or from files and folders.
    fn plugins(&self, list: &[String]) -> Result<Vec<Resource>> {
        let mut all = Accumulated::default();
        let mut paths = Vec::new();
        for entry in list {
            match read_resources(entry, "the kustomization") {
                Ok(mut resources) => {
                    for resource in &mut resources {
                        resource.memory.origin = self.origin.as_ref().map(|origin| origin.join(self.file));
                    }
                    all.set.append_all(resources)?;
                }
                Err(_) => paths.push(entry.clone()),
            }
        }
        self.add_paths(&mut all, &paths)?;
        Ok(all.set.into_list())
    }

    fn transform(&self, all: &mut Accumulated) -> Result<()> {
        let config = Rc::clone(&all.config);
        for (transformer, name) in self.transformers(&config)? {
            transformer.apply(&mut all.set, self.session)?;
            self.session.observe(&mut all.set, || format!("{} in {}", transformer.title(), self.place(self.file)));
            note_change(&mut all.set, self.built_in_origin(name).as_ref());
            all.set.drop_empty();
        }
        for plugin in self.plugins(&self.kustomization.transformers)? {
            self.run_plugin(&plugin, all)?;
        }
        Ok(())
    }

    fn run_plugin(&self, plugin: &Resource, all: &mut Accumulated) -> Result<()> {
        let made = plugin::transformer(plugin, &self.folder, self.session)
            .within(|| format!("plugin {} fails configuration", plugin.id()))?;
        if let Some(transformer) = made {
            transformer.apply(&mut all.set, self.session).within(|| format!("running {}", plugin.id()))?;
        } else {
            let (functions, program) = plugin::function_of(plugin, self.session)?;
            let output = function::run(functions, &program, plugin, &self.folder.root, all.set.as_slice())?;
            all.set = ResourceSet::default();
            all.set.append_all(output)?;
        }
        if self.origin.is_some() {
            note_change(&mut all.set, configured_origin(plugin).as_ref());
        }
        let by = || format!("{} named in {}", plugin.id(), self.place(self.file));
        self.session.observe(&mut all.set, by);
        all.set.drop_empty();
        Ok(())
    }

    fn validate(&self, all: &mut Accumulated) -> Result<()> {
        for plugin in self.plugins(&self.kustomization.validators)? {
            let before: Vec<_> = all.set.iter().map(|resource| resource.node.clone()).collect();
            self.run_plugin(&plugin, all)?;
            let after: Vec<_> = all.set.iter().map(|resource| resource.node.clone()).collect();
            if before != after {
                return Err(Error::rule(format!("validator shouldn't modify the resource map: {} did", plugin.id())));
            }
        }
        Ok(())
    }
}

/// Notes what has changed (or made) all resources.
fn note_change(set: &mut ResourceSet, origin: Option<&Origin>) {
    let Some(origin) = origin else { return };
    for at in 0..set.len() {
        let memory = &mut set.content_mut(at).memory;
        if memory.origin.is_none() {
            memory.origin = Some(origin.clone());
        } else {
            memory.transformations.push(origin.clone());
        }
    }
}

/// Where the object that configures a plugin comes from.
fn configured_origin(config: &Resource) -> Option<Origin> {
    let origin = config.memory.origin.as_ref()?;
    let id = config.id();
    let api_version = if id.group.is_empty() { id.version.to_owned() } else { format!("{}/{}", id.group, id.version) };
    Some(Origin {
        path: String::new(),
        configured_in: origin.path.clone(),
        configured_by: [api_version, id.kind.to_owned(), id.name.to_owned(), id.namespace.to_owned()],
        ..origin.clone()
    })
}

/// Drops resources that are only there to configure tools.
fn drop_local(set: &mut ResourceSet) -> Result<()> {
    const LOCAL: &str = "config.kubernetes.io/local-config";
    set.iter().try_for_each(|resource| check(&resource.node))?;
    let is_local = |resource: &Resource| resource.annotation(LOCAL).is_some_and(|value| value != "false");
    if set.iter().any(is_local) {
        set.list_mut().retain(|resource| !is_local(resource));
    }
    Ok(())
}
