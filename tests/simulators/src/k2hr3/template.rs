//! The template language in which K2HR3 resources are written: our own small interpreter.
//!
//! A template is plain text with `{{ .. }}` statements between. The text is kept byte for byte, the
//! newline behind a statement too, which is why real answers are full of blank lines. It understands
//! `if`/`elif`/`else`/`endif`, `while`, `do`, `for`, `foreach`, assignment, printing and arithmetic, so
//! the templates of the `DBaaS` CLI and of Trove run unchanged. It must not read anything but its
//! arguments: the host lists a template names are put into the variables by the caller.
//!
//! Behaviour from `k2hr3_api` 2.0.3, `lib/k2hr3template.ts`, as observed on a live server (exchanges `t-*`).

mod lexer;
mod parser;
mod run;
mod segment;
mod value;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use parser::Node;

/// The reason why a template gives no text. K2HR3 answers 404 to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The text does not parse, or asks for another template engine (`t-badsyntax`, `t-engine-other`).
    Syntax,
    /// The template parsed, but failed while running: a division by zero, an endless loop (`t-div0`).
    Execution,
}

/// A template that parsed.
#[derive(Debug)]
pub struct Template {
    nodes: Vec<Node>,
}

impl Template {
    /// Parses the whole text of a resource, the parts of its parents included.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        let body = segment::without_engine_line(text)?;
        let segments = segment::split(body);
        Ok(Self { nodes: parser::parse(&segments)? })
    }

    /// Every variable the text mentions, for the caller to find those that are host lists.
    pub fn variables(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        parser::collect_variables(&self.nodes, &mut names);
        names
    }

    /// Runs it. Loop variables stay in `variables` afterwards, as they do on the real server.
    pub fn expand(&self, variables: &mut Map<String, Value>) -> Result<String, Broken> {
        run::run(&self.nodes, variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expand(text: &str, variables: Value) -> Result<String, Broken> {
        let Value::Object(mut map) = variables else { panic!("variables must be an object") };
        Template::parse(text)?.expand(&mut map)
    }

    fn text(template: &str) -> String {
        expand(template, json!({"k": "v", "n": 3, "o": {"a": "A"}, "l": ["x", "y"]})).unwrap()
    }

    #[test]
    fn plain_text_is_kept_byte_for_byte() {
        assert_eq!(text("a\r\n\t\"q\" \\ é\n"), "a\r\n\t\"q\" \\ é\n");
    }

    #[test]
    fn the_newline_behind_a_statement_stays() {
        assert_eq!(text("{{ if 1 < 2 }}\nyes\n{{ else }}\nno\n{{ endif }}\n.\n"), "\nyes\n\n.\n");
        assert_eq!(text("    {{ %x% = 1 }}\n{{= %x% }}"), "    \n1");
    }

    #[test]
    fn only_the_engine_line_takes_its_newlines_along() {
        assert_eq!(text("{{#!k2hr3template }}\n\r\n# text\n"), "# text\n");
        assert_eq!(text("{{# a comment }}\n"), "\n");
        assert_eq!(expand("{{#!another }}\nx\n", json!({})), Err(Broken::Syntax));
    }

    #[test]
    fn tripled_braces_print_doubled_ones() {
        assert_eq!(text("literal {{{ and }}} end"), "literal {{ and }} end");
    }

    #[test]
    fn a_missing_variable_prints_nothing() {
        assert_eq!(text("a={{= %nosuch% }}|{{= %k%{\"x\"} }}|{{= %nosuch%.length }}|"), "a=|||");
    }

    #[test]
    fn members_and_lengths_are_reached() {
        assert_eq!(text("{{= %o%{'a'} }} {{= %l%[1] }} {{= %l%.length }} {{= %o%.count }}"), "A y 2 1");
    }

    #[test]
    fn objects_print_like_javascript() {
        assert_eq!(text("{{= %o% }}|{{= %l% }}|{{= true }}|{{= null }}"), "[object Object]|x,y|true|");
    }

    #[test]
    fn foreach_walks_the_keys_in_their_order_and_leaks_its_variable() {
        let variables = json!({"hosts": {"b": {"t": 1}, "a": {"t": 2}}});
        let template = "{{ foreach %h% in %hosts% }}{{ %one% = %hosts%{%h%} }}{{= %h% }}{{= %one%{'t'} }} {{ done }}{{= %h% }}";
        assert_eq!(expand(template, variables).unwrap(), "b1 a2 a");
        assert_eq!(
            text("{{ foreach %h% in %nosuch% }}x{{ done }}|{{ foreach %i% in %l% }}{{= %i% }}{{ done }}"),
            "|01"
        );
    }

    #[test]
    fn loops_count_break_and_continue() {
        assert_eq!(text("{{ for %i% = 0; %i% < 3; %i%++ }}{{= %i% }},{{ done }}"), "0,1,2,");
        assert_eq!(text("{{ while %n% > 0 }}{{= %n% }}{{ %n%-- }}{{ done }}"), "321");
        assert_eq!(text("{{ do }}{{= %n%++ }}{{ while %n% < 5 }}"), "34");
        let template = "{{ for %i% = 0; %i% < 9; %i%++ }}{{ if %i% == 1 }}{{ continue }}{{ elif %i% > 2 }}{{ break }}{{ endif }}{{= %i% }}{{ done }}";
        assert_eq!(text(template), "02");
    }

    #[test]
    fn strings_add_by_concatenation_and_numbers_by_sum() {
        assert_eq!(
            text("{{= \"a\" + 1 }} {{= 1 + 2 * 3 }} {{= (1 + 2) * 3 }} {{= 7 % 4 }} {{= 0x10 }}"),
            "a1 7 9 3 16"
        );
        assert_eq!(text("{{= 'SERVER' == %k% }} {{= !%nosuch% && 1 != 2 }}"), "false true");
    }

    #[test]
    fn what_k2hr3_refuses_is_refused() {
        for bad in [
            "x {{ if }} y {{ endif }}\n",
            "x {{ if 1 < 2 }} y\n",
            "{{= \"\" }}",
            "{{ done }}",
            "{{ foreach %a% }}{{ done }}",
        ] {
            assert_eq!(expand(bad, json!({})), Err(Broken::Syntax), "{bad}");
        }
        assert_eq!(expand("{{= 1 / 0 }}", json!({})), Err(Broken::Execution));
    }

    #[test]
    fn an_endless_loop_ends_as_a_failure() {
        assert_eq!(expand("{{ while true }}{{ done }}", json!({})), Err(Broken::Execution));
    }

    #[test]
    fn an_unterminated_print_at_the_end_is_accepted() {
        assert_eq!(text("x {{= %k% \n"), "x v");
    }

    #[test]
    fn every_variable_is_listed_under_its_full_name() {
        let template =
            Template::parse("{{ foreach %h% in %yrn:a:role:b/hosts/ip% }}{{= %o%{%h%} }}{{ done }}").unwrap();
        let names: Vec<String> = template.variables().into_iter().collect();
        assert_eq!(names, ["h", "o", "yrn:a:role:b/hosts/ip"]);
    }
}
