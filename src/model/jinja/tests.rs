//! Too much work fails; all other results are the same as the library's.

use minijinja::Environment;
use minijinja::value::Value;
use serde_json::{Value as Json, json};

use super::{Numbers, Program, described, environment, json_value};

const FUEL: u64 = 100_000;

fn body() -> Json {
    json!({
        "text": "one two\nthree  four\n<five> & six",
        "list": [3, 1, 2, 1],
        "words": ["b", "a", "b"],
        "commits": [
            {"id": "c1", "author": {"name": "mira"}, "n": 1, "ok": true},
            {"id": "c2", "author": {"name": "tom"}, "n": 2, "ok": false},
        ],
        "number": 2.5,
        "none": null,
        "huge": 1_000_000_000_000_000_000_u64,
        "large": 100_000_000,
    })
}

fn context_of(body: &Json) -> Value {
    let context = json!({ "body": body }).to_string();
    json_value(context.as_bytes(), Numbers::Compared).unwrap()
}

fn made_of(text: &str, context: Value) -> Result<String, String> {
    let environment = environment(FUEL);
    let made = Program::template(text).and_then(|program| program.text(&environment, context));
    made.map_err(|error| described(&error))
}

fn made(text: &str) -> Result<String, String> {
    made_of(text, context_of(&body()))
}

/// Whatever is not too much gives the same result as the library itself.
#[test]
fn what_is_charged_is_what_the_library_makes() {
    let mut plain = Environment::new();
    plain.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    for text in [
        "{{ body.text|upper }}{{ body.text|lower|title }}{{ 'abc'|capitalize }}{{ ' x '|trim }}",
        "{{ 'xxaxx'|trim('x') }}{{ body.text|escape }}{{ body.text|e }}{{ body.text|safe }}",
        "{{ body.commits|string }}{{ body.list|string|upper }}{{ body.commits|pprint }}",
        "{{ body.commits[0]|dictsort }}{{ body.commits[0]|items|list }}{{ body.list|reverse|list }}",
        "{{ body.text|reverse }}{{ body.list|sort }}{{ body.list|sort(reverse=true) }}",
        "{{ body.commits|sort(attribute='author.name', reverse=true)|map(attribute='id')|list }}",
        "{{ body.list|unique|list }}{{ body.commits|groupby('ok') }}{{ body.words|map('upper')|join('-') }}",
        "{{ body.commits|map(attribute='author.name')|join(', ') }}{{ body.list|join }}",
        "{{ body.commits|join(' and ', attribute='id') }}{{ body.text|join('.') }}",
        "{{ body.list|select('odd')|list }}{{ body.list|reject('odd')|list }}",
        "{{ body.commits|selectattr('ok')|list }}{{ body.commits|rejectattr('n', 'eq', 1)|list }}",
        "{{ body.list|select('in', [1, 2])|list }}{{ body.list|reject('eq', 1)|list }}{{ body.commits[0] == body.commits[1] }}",
        "{{ 1 < 2 }}{{ 2 <= 2 }}{{ 3 > 2 }}{{ 'a' >= 'b' }}{{ 'a' != 'b' }}{{ [1, 2] == [1, 2] }}{{ {'a': 1} != {'a': 1} }}",
        "{{ body.list is sequence }}{{ body.text is startingwith 'one' }}{{ 4 is divisibleby 2 }}{{ 'a' is in ['a'] }}",
        "{{ body.list|join(body.number) }}{{ body.list|join(d='-') }}{{ body.absent is defined }}{{ body.none is none }}",
        "{{ body.list|min }}{{ body.list|max }}{{ body.list|sum }}{{ body.commits|sum(attribute='n') }}",
        "{{ body.list|sum(start=4) }}{{ body.list|first }}{{ body.list|last }}{{ body.list|sum('x', 5) }}",
        "{{ body.absent|default('d') }}{{ body.none|d('e', true) }}{{ body.number|round }}",
        "{{ 2.345|round(2) }}{{ (0 - 3)|abs }}{{ '7'|int }}{{ '7.5'|float }}{{ 'x'|int(default=3) }}",
        "{{ body.commits[0]|attr('id') }}{{ 'x'|bool }}{{ body.text|list|length }}{{ body.list|list }}",
        "{{ body.text|split }}{{ body.text|split('o') }}{{ body.text|split('\n', 1) }}{{ body.text|lines }}",
        "{{ body.text|replace('o', '00') }}{{ body.text|replace('', '-') }}{{ body.number|replace('5', '6') }}",
        "{{ body.list|batch(3) }}{{ body.list|batch(3, 'x') }}{{ body.list|slice(3) }}{{ body.list|slice(3, 'y') }}",
        "{{ body.text|indent }}{{ body.text|indent(2, true) }}{{ body.text|indent(width=3, blank=true) }}",
        "{{ body|tojson }}{{ body.commits|tojson(2) }}{{ body.commits|tojson(indent=true) }}",
        "{{ '%s is %5.1f and %05d, %x%%'|format(body.words, body.number, 42, 255) }}",
        "{{ '%(a)s-%(a)s'|format(a='x') }}{{ '%-8s|'|format('left') }}",
        "{{ 2 * 3 }}{{ 1.5 * 2 }}{{ 'ab' * 3 }}{{ [1, 2] * 2 }}{{ body.large * body.large }}",
        "{{ 'a' ~ body.list ~ body.none ~ body.absent ~ 1.5 }}{{ 'a' + 'b' }}{{ body.list + [9] }}{{ 1 + 2 }}",
        "{{ 1 in body.list }}{{ 9 not in body.list }}{{ 'hre' in body.text }}{{ 'id' in body.commits[0] }}",
        "{{ 'x' in body.absent }}{{ body.text[4:7] }}{{ body.list[1:] }}{{ body.text[::2] }}{{ body.list[:-1] }}",
        "{{ {'a': 1, 'b': [1, (2, 3)]}|tojson }}{{ [] }}{{ {} }}{{ (1,) }}",
        "{% for c in body.commits %}{{ loop.index }}{{ c.id }}{% if not loop.last %}, {% endif %}{% else %}none{% endfor %}",
        "{% for c in body.absent %}x{% else %}none{% endfor %}{% for k, v in body.commits[0]|dictsort %}{{ k }}={{ v }} {% endfor %}",
        "{% if body.number > 2 and body.list %}yes{% elif body.none %}perhaps{% else %}no{% endif %}",
        "{{ 'a' if body.none else 'b' }}{{ body.none or body.number and 3 }}",
        "{% set x = body.text %}{% set y, z = [1, 2] %}{{ x }}{{ y }}{{ z }}{% with w = 3 %}{{ w }}{% endwith %}{{ w }}",
        "{% set x %}a{{ body.number }}b{% endset %}{{ x }}{% filter upper %}q{{ x }}r{% endfilter %}",
        "{% for c in body.commits recursive %}{{ c.id }}{% if c.ok %}{{ loop([{'id': 'inner'}]) }}{% endif %}{% endfor %}",
        "{% for c in body.commits if c.ok %}{{ c.id }}{% endfor %}{% raw %}{{ x }}{% endraw %}{# none #}{{ -body.number }}",
        "a{%- if true -%} b {%- endif -%} c{% autoescape false %}<{{ body.text }}{% endautoescape %}",
    ] {
        let context = context_of(&body());
        let expected = plain.render_str(text, context);
        assert_eq!(made(text).ok(), expected.as_ref().ok().cloned(), "{text}");
        assert!(expected.is_ok(), "{text}: {expected:?}");
    }
}

/// Cases in which the library would panic: backwards, empty, or beyond the ends.
#[test]
fn whatever_is_cut_out_of_whatever_is_cut_out_or_refused() {
    let error = made("{{ body.text[::-1] }}").unwrap_err();
    assert!(error.contains("|reverse"), "{error}");
    let environment = environment(FUEL);
    for length in 0..4 {
        let text = "abc"[..length].to_owned();
        let list = vec![0; length];
        let context = context_of(&json!({ "text": text, "list": list }));
        for step in -3..=3 {
            for (start, stop) in (-5..=5).flat_map(|start| (-5..=5).map(move |stop| (start, stop)))
            {
                for of in ["body.text", "body.list"] {
                    for place in [
                        format!("{of}[{start}:{stop}:{step}]"),
                        format!("{of}[{start}::{step}]"),
                        format!("{of}[:{stop}:{step}]"),
                    ] {
                        let program = Program::expression(&place).unwrap();
                        let _ = program.value(&environment, context.clone());
                    }
                }
            }
        }
    }
}

/// What a sender writes into an event, or a template does with it, fails only that delivery.
#[test]
fn what_would_make_too_much_fails() {
    let mut fed = body();
    fed["big"] = Json::from("x\n".repeat(250_000));
    fed["many"] = Json::from(vec![0; 300_000]);
    let deep = (0..90).fold(json!(0), |inside, _| json!([inside, 0]));
    fed["deep"] = Json::from(vec![deep; 500]);
    let fed = context_of(&fed);
    let doubled = "{% set s = s ~ s %}".repeat(60);
    let grown = "{% set s = s + s %}".repeat(60);
    let captured = "{% set s %}{{ s }}{{ s }}{% endset %}".repeat(60);
    let nested = format!(
        "{{% set s = 's' %}}{{% set t = 't' %}}{}{{{{ s == t }}}}",
        "{% set s = [s, s] %}{% set t = [t, t] %}".repeat(40)
    );
    let kept: String = (0..1_000)
        .map(|n| format!("{{% set v{n} = body.big|upper %}}"))
        .collect();
    for text in [
        "{{ body.text|indent(body.huge) }}",
        "{{ body.text|indent(width=body.huge) }}",
        "{{ body.big|indent(900) }}",
        "{{ body.list|slice(body.huge) }}",
        "{{ body.list|slice(body.large) }}",
        "{{ body.list|slice(count=body.large) }}",
        "{{ body.list|batch(body.huge, 'x') }}",
        "{{ body.list|batch(body.large, 'x') }}",
        "{{ body.big|replace('x', body.big) }}",
        "{{ body.big|replace('', body.text) }}",
        "{{ body.many|join(body.text) }}",
        "{{ body.many|join(body.big) }}",
        "{{ '%1000000000000s'|format('x') }}",
        "{{ '%.1000000000f'|format(1.5) }}",
        "{{ '%*d'|format(body.large, 1) }}",
        "{{ '%(a)1000000000s'|format(a='x') }}",
        "{{ ('%(a)s' * 100)|format(a=body.big) }}",
        "{{ body.deep|tojson(body.huge) }}",
        "{{ body.deep|tojson(indent=900) }}",
        "{{ body.deep|tojson(indent=body.huge) }}",
        "{{ body.deep|pprint }}",
        "{{ 'x' * body.huge }}",
        "{{ 'x' * body.large }}",
        "{{ body.large * 'x' }}",
        "{{ [1] * body.large }}",
        "{{ body.large * body.list }}",
        "{{ body.big|split('') }}",
        "{{ body.big|list|list }}",
        "{{ body.big|lines|list|list }}",
        "{{ body.words|sum(start='') }}",
        "{{ body.many|join(body.many) }}",
        "{{ body.many|join(d=body.big) }}",
        "{{ body.many|select('in', body.many)|list|length }}",
        "{{ body.many|reject('eq', body.many)|list|length }}",
        "{% for x in body.many %}{{ 1 if x in body.many }}{% endfor %}",
        "{% for x in body.many %}{{ 1 if body.deep == body.deep }}{% endfor %}",
        "{{ body.deep|sort }}{{ body.deep|unique }}{{ body.deep|sort }}{{ body.deep|min }}",
        &nested,
        "{{ body.x|default(*body.many) }}",
        "{{ body.list|sort(**body) }}",
        "{{ 'x' * 99000 }}",
        "{{ [1] * 90000 }}",
        "{{ 1 < body.number < 3 }}",
        "{{ body.list|chain(body.list)|list }}",
        "{{ body.words|map('indent', body.huge)|list }}",
        "{% set l = [body.big, body.big, body.big, body.big] %}{% set m = [l, l, l, l] %}{{ [m, m, m]|tojson }}",
        "{% set l = [body.big, body.big, body.big, body.big] %}{% set m = [l, l, l, l] %}{{ [m, m, m]|string }}",
        "{% set l = [body.big, body.big, body.big, body.big] %}{{ l }}{{ l }}",
        "{% set l = [body.big, body.big, body.big, body.big] %}{% set m = [l, l, l, l] %}{{ ([m, m] ~ '')|length }}",
        &format!("{{% set s = 'ab' %}}{doubled}{{{{ s|length }}}}"),
        &format!("{{% set s = 'ab' %}}{grown}{{{{ s|length }}}}"),
        &format!("{{% set s = [1] %}}{grown}{{{{ s|list|length }}}}"),
        &format!("{{% set s = 'ab' %}}{captured}{{{{ s|length }}}}"),
        &kept,
        "{% set s = 'ab' %}{% for a in body.many %}{% set s = s ~ s %}{% endfor %}",
        "{% for a in body.many %}{% set s = [s] %}{% endfor %}{{ s }}",
        "{% for a in body.many %}{% set s = {'s': s} %}{% endfor %}{{ s }}",
        "{% for a in body.many %}{% set s = (s, 1) %}{% endfor %}{{ s }}",
        "{% for a in body.many %}{% set s = [1]|batch(1) + [s] %}{% endfor %}{{ s|tojson }}",
        "{% for a in body.many recursive %}{{ loop(body.many) }}{% endfor %}",
        "{% for a in body.many %}{% for b in body.many %}{{ body.big }}{% endfor %}{% endfor %}",
    ] {
        let error = made_of(text, fed.clone()).expect_err(text);
        let described = [
            "bytes",
            "too wide",
            "limit",
            "steps",
            "lists and maps",
            "numbers",
            "`*`",
            "constant",
            "b < c",
            "unknown filter",
            "recursion",
        ];
        assert!(
            described.iter().any(|why| error.contains(why)),
            "{text}: {error}"
        );
    }
}

/// Nested values need stack when they are written and freed; workers have 512 KiB.
#[test]
fn what_is_built_inside_each_other_fits_a_small_stack() {
    let work = || {
        for text in ["[s]", "{'s': s}", "(s, 1)", "[1]|batch(1) + [s]"] {
            let text = "{% for a in body.many %}{% set s = X %}{% endfor %}{{ s }}{{ s|tojson }}{{ s|string }}{{ s == [s] }}"
                .replace("X", text);
            let many = json!({ "many": vec![0; 990] });
            let _ = made_of(&text, context_of(&many));
        }
    };
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    small.spawn(work).unwrap().join().unwrap();
}

/// The library is recursive; a text that is too deep for a small stack is rejected before.
#[test]
fn what_is_nested_too_deep_or_too_long_a_chain_is_refused_and_what_people_write_is_not() {
    let work = || {
        for (text, times, after) in [
            ("body+", 800, "1"),
            ("1~", 2_000, "1"),
            ("body.a", 1, &*".a".repeat(2_000)),
            ("1", 1, &*"|d".repeat(2_000)),
            ("1**", 1_300, "1"),
            ("1 and ", 680, "1"),
            ("not ", 1_000, "1"),
            ("-", 4_000, "1"),
            ("1 if 1 else ", 340, "1"),
            ("(", 2_000, &*format!("1{}", ")".repeat(2_000))),
            ("[", 2_000, &*format!("1{}", "]".repeat(2_000))),
            ("{1:", 1_000, &*format!("1{}", "}".repeat(1_000))),
            ("1<", 2_000, "1"),
            ("body", 1, &*"[0]".repeat(1_300)),
            ("1", 1, &*" is odd".repeat(500)),
        ] {
            let text = text.repeat(times) + after;
            let error = Program::expression(&text).err().expect("it is refused");
            assert!(described(&error).contains("more than 100 parts"), "{text}");
            assert!(made(&format!("{{{{ {text} }}}}")).is_err());
        }
        for (open, close) in [
            ("{% if 1 %}", "{% endif %}"),
            ("{% for a in [1] %}", "{% endfor %}"),
            ("{% with a = 1 %}", "{% endwith %}"),
            ("{% filter upper %}", "{% endfilter %}"),
            ("{% set a %}", "{% endset %}"),
            ("{% if 0 %}{% elif 1 %}", "{% endif %}"),
        ] {
            let text = open.repeat(140) + "x" + &close.repeat(140);
            assert!(
                made(&text).unwrap_err().contains("more than 100 parts"),
                "{open}"
            );
            let text = (open.to_owned() + "x" + close).repeat(300);
            assert!(made(&text).is_ok(), "{open}");
        }
        let elifs = format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}x".repeat(200));
        assert!(made(&elifs).unwrap_err().contains("more than 100 parts"));
        let many = "{{ body.text|upper|lower ~ body.commits[0].author.name }}\n".repeat(300);
        assert!(made(&many).is_ok());
        let clauses = vec!["body.commits[0].author.name == 'mira'"; 80].join(" or ");
        assert!(Program::expression(&clauses).is_ok());
        let names = vec!["'a.b|c'"; 400].join(", ");
        assert!(Program::expression(&format!("body.text in [{names}]")).is_ok());
    };
    // Debug builds need more stack than the workers' 512 KiB for the same work.
    let small = std::thread::Builder::new().stack_size(1024 * 1024);
    small.spawn(work).unwrap().join().unwrap();
}
