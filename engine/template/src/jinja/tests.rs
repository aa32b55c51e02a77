//! Both languages on the same values.

use std::rc::Rc;

use crate::{Ambient, Error, Limits, NoHost, Renderer, Templates, Value, with_stack};

const VALUES: &str = "replicas: 3\nname: Web\nbig: 10000000\nratio: 0.5\nempty: null\n\
                      list: [b, a]\nmap: {x: 1, w: {z: two}}\nmaps: [{id: one}, {id: two}]\n";

fn ambient() -> Ambient {
    Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC))
}

/// Renders the first of some files on the values above.
fn render(files: &[(&str, &str)]) -> Result<String, Error> {
    let templates =
        Templates::parse(files.iter().map(|(name, text)| (*name, (*text).to_owned()))).map_err(|(_, error)| error)?;
    let first = files[0].0;
    let text = with_stack(|| {
        let values = kpkg_yaml::read(VALUES).expect("the values are YAML");
        let chart = kpkg_yaml::read("Name: app\nAppVersion: '1.2'\nAPIVersion: v2\n").expect("YAML");
        let entries = [("Values".into(), Value::from(&values)), ("Chart".into(), Value::from(&chart))];
        let dot = Value::map(entries.into());
        Renderer::new(&templates, Rc::new(NoHost), &ambient(), Limits::default()).render(first, &dot)
    })?;
    Ok(String::from_utf8(text).expect("text"))
}

fn one(text: &str) -> Result<String, Error> {
    render(&[("app/templates/t.j2", text)])
}

#[test]
fn values_and_functions() {
    let cases = [
        ("{{ Values.replicas }} {{ values.big }} {{ Values.ratio }}[{{ Values.empty }}]", "3 10000000 0.5[]"),
        ("{{ Values.list }} {{ Values.map }}", r#"["b","a"] {"w":{"z":"two"},"x":1}"#),
        ("{% for k, v in Values.map.items() %}{{ k }}={{ v is mapping }} {% endfor %}", "w=true x=false "),
        ("{% for k, v in Values.map | dictsort %}{{ k }} {% endfor %}", "w x "),
        ("{% for m in Values.maps %}{{ loop.index }}{{ m.id }} {% endfor %}", "1one 2two "),
        ("{{ Values.list | sort | join(',') }} {{ Values.list[-1] }} {{ Values.list | length }}", "a,b a 2"),
        ("{{ Values.name | lower | trunc(2) | quote }} {{ trunc(2, 'abc') }}", "\"we\" ab"),
        ("{{ toYaml(Values.map) | nindent(2) }}", "\n  w:\n    z: two\n  x: 1"),
        ("{{ Values.map | toYaml | indent(2) }}", "w:\n    z: two\n  x: 1"),
        ("{{ sprig.indent(2, 'a') }}{{ sprig.dict('a', 1) }}", "  a{\"a\":1}"),
        ("{{ Values.missing | default('x') }} {{ Values.missing is defined }}", "x false"),
        ("{{ Values.map.get('nope', 7) }} {{ 'x' in Values.map }} {{ add(1, Values.replicas) }}", "7 true 4"),
        ("{{ chart.appVersion }} {{ Chart.Name }} {{ chart.apiVersion }}", "1.2 app v2"),
        ("{{ dict(a=1, b=[1, 2]) | toJson }} {{ list(1, 'a') | toJson }}", "{\"a\":1,\"b\":[1,2]} [1,\"a\"]"),
        ("{{ tpl('{{ Values.name }}') }} {{ '{{ .Values.name }}' | gotpl }}", "Web Web"),
        ("{% set _ = sprig.set(Values.map, 'new', 1) %}{{ Values.map.new }}", "1"),
        ("a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc\n"),
        ("{{ 'abc'.startswith('ab') }} {{ semverCompare('>=1.0', '1.2.3') }}", "true true"),
        ("{{ ternary('a', 'b', true) }} {{ required('x', 'y') }} {{ b64enc('hi') }}", "a y aGk="),
        ("{{ Values.list == ['b', 'a'] }} {{ Values.map == Values.map }}", "true true"),
    ];
    for (text, want) in cases {
        assert_eq!(one(text).as_deref().map_err(ToString::to_string), Ok(want), "{text}");
    }
}

#[test]
fn languages_include_each_other() {
    let helpers = ("app/templates/_h.tpl", "{{ define \"go.name\" }}go-{{ .Values.name | lower }}{{ end }}");
    let macros =
        ("app/templates/_m.j2", "{% macro name(x) %}{{ x }}-{{ Values.replicas }}-{{ chart.name }}{% endmacro %}");
    let cases: &[(&str, &str, &str)] = &[
        ("t.j2", "{{ include('go.name') }} {{ include('go.name', dot) }}", "go-web go-web"),
        ("t.j2", "{% import '_m.j2' as m %}{{ m.name('x') }}", "x-3-app"),
        ("t.j2", "{% from 'app/_m.j2' import name %}{{ name('y') }}", "y-3-app"),
        ("t.yaml", "{{ include \"part.j2\" . }}|{{ template \"part.j2\" . }}", "part go-web|part go-web"),
        ("t.yaml", "{{ include \"app/templates/part.j2\" . | upper }}", "PART GO-WEB"),
        ("t.yaml", "{{ include \"data.j2\" (dict \"a\" 1 \"Values\" .Values) }}", "1 Web"),
        ("t.j2", "{% include 'part.j2' %}!", "part go-web!"),
    ];
    for (name, text, want) in cases {
        let path = format!("app/templates/{name}");
        let files = [
            (path.as_str(), *text),
            helpers,
            macros,
            ("app/templates/part.j2", "part {{ include('go.name') }}"),
            ("app/templates/data.j2", "{{ a }} {{ Values.name }}"),
        ];
        assert_eq!(render(&files).as_deref().map_err(ToString::to_string), Ok(*want), "{text}");
    }
}

#[test]
fn failures_name_file_and_line() {
    let cases = [
        ("a\n{{ Values.nmae }}", 2, "undefined value"),
        ("{% if Values.missing %}{% endif %}", 1, "undefined value"),
        ("{{ Values.a.b }}", 1, "undefined value"),
        ("\n\n{{ trunc('x', 'y') }}", 3, "argument 1 of trunc: expected int; got string"),
        ("{{ toYaml(Values.missing) }}", 1, "argument 1 of toYaml is undefined"),
        ("{{ include('nothing') }}", 1, "no template \"nothing\""),
        ("{% include 'nothing.j2' %}", 1, "template not found"),
        ("{{ nosuch(1) }}", 1, "nosuch"),
        ("x\n{{ fail('stop here') }}", 2, "stop here"),
        ("{% endif %}", 1, "unknown statement endif"),
        ("{% for x in range(100000) %}{% for y in range(100000) %}{% endfor %}{% endfor %}", 1, "longer than allowed"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", 1, "recursion"),
        ("{{ include('app/templates/t.j2') }}", 1, "nested reference name"),
        ("{{ repeat(1000000000, 'x') }}", 1, "limit"),
    ];
    for (text, line, want) in cases {
        let error = one(text).expect_err(text);
        let place = error.place().unwrap_or_else(|| panic!("{text}: {error}"));
        assert_eq!((&*place.file, place.line), ("app/templates/t.j2", line), "{text}: {error}");
        assert!(error.text().contains(want), "{text}: {}", error.text());
    }
}

#[test]
fn failures_keep_their_chain() {
    let files = [
        ("app/templates/t.yaml", "a\n{{ include \"app/templates/u.j2\" . }}"),
        ("app/templates/u.j2", "\n{{ include('go') }}"),
        ("app/templates/_h.tpl", "{{ define \"go\" }}\n\n{{ fail \"no\" }}{{ end }}"),
    ];
    let error = render(&files).expect_err("it fails");
    let places: Vec<_> = error.places().iter().map(|place| (place.file.to_string(), place.line)).collect();
    let want = [("app/templates/t.yaml", 2), ("app/templates/u.j2", 2), ("app/templates/_h.tpl", 3)];
    assert_eq!(places, want.map(|(file, line)| (file.to_owned(), line)), "{error}");
}
