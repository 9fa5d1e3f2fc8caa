//! Random templates: every function with every kind of argument, formats, statements, and soups of tokens.
//!
//! What differs between two runs of Go (randomness, the clock, the order of map iteration) is left out.

mod words;

use words::{
    CONSTRAINTS, DICTS, DOCUMENTS, FUNCTIONS, NUMBERS, OTHERS, PIECES, REGEXES, STRINGS, TIMES, TOKENS, VERSIONS,
};

/// A source of templates.
pub(crate) struct Generator<R> {
    pub(crate) random: R,
}

impl<R: FnMut() -> u64> Generator<R> {
    fn below(&mut self, n: usize) -> usize {
        usize::try_from((self.random)() % n as u64).unwrap_or(0)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn string(&mut self) -> String {
        match self.below(20) {
            0 => {
                let mut text = String::new();
                for _ in 0..self.below(8) {
                    text.push_str(self.pick(STRINGS));
                }
                format!("\"{text}\"")
            }
            1 => {
                let pieces = [
                    "a",
                    " ",
                    "  ",
                    "\\n",
                    ":",
                    "#",
                    "-",
                    "'",
                    "\\\"",
                    ",",
                    "[",
                    "{",
                    "1",
                    ".",
                    "\\t",
                    "é",
                    "word",
                    " and ",
                    "\\r",
                    "\\u0085",
                    "😀",
                    "longerword ",
                    "_",
                    "0",
                    "/",
                    "%",
                ];
                let mut text = String::new();
                for _ in 0..self.below(40) {
                    text.push_str(self.pick(&pieces));
                }
                format!("\"{text}\"")
            }
            _ => format!("\"{}\"", self.pick(STRINGS)),
        }
    }

    /// An argument that suits a parameter, most of the time.
    fn argument(&mut self, wanted: char, depth: usize) -> String {
        // A date function reads the clock for what is no time.
        if wanted != 't' && self.chance(8) {
            return self.anything(depth);
        }
        match wanted.to_ascii_lowercase() {
            'i' | 'u' => match self.below(8) {
                0 => self.pick(NUMBERS).to_owned(),
                1 => "(int .Values.num)".to_owned(),
                2 => "(len .Values.list)".to_owned(),
                _ => self.pick(&["0", "1", "2", "3", "5", "-1", "10", "40", "-3"]).to_owned(),
            },
            's' => match self.below(12) {
                0 => ".Values.str".to_owned(),
                1 => "(b64dec \"//4=\")".to_owned(),
                2 if depth > 0 => format!("({})", self.call(depth - 1)),
                3 => format!("(printf {})", self.format_arguments(depth.saturating_sub(1))),
                _ => self.string(),
            },
            'f' => self.pick(NUMBERS).to_owned(),
            'b' => self
                .pick(&["true", "false", "(eq 1 1)", "(not 1)", ".Values.t"])
                .to_owned(),
            'm' => self.pick(DICTS).to_owned(),
            't' => self.pick(TIMES).to_owned(),
            'r' => format!("\"{}\"", self.pick(REGEXES)),
            'v' => format!("\"{}\"", self.pick(VERSIONS)),
            'c' => format!("\"{}\"", self.pick(CONSTRAINTS)),
            _ => self.anything(depth),
        }
    }

    fn anything(&mut self, depth: usize) -> String {
        match self.below(10) {
            0 | 1 => self.pick(NUMBERS).to_owned(),
            2 | 3 => self.string(),
            4 if depth > 0 => format!("({})", self.call(depth - 1)),
            5 if depth > 0 => self.container(depth - 1),
            _ => self.pick(OTHERS).to_owned(),
        }
    }

    fn container(&mut self, depth: usize) -> String {
        let dict = self.chance(50);
        let mut text = String::from(if dict { "(dict" } else { "(list" });
        for _ in 0..self.below(4) {
            if dict {
                text.push(' ');
                text.push_str(&self.string());
            }
            text.push(' ');
            text.push_str(&self.anything(depth));
        }
        text.push(')');
        text
    }

    /// A format and arguments for `printf`.
    fn format_arguments(&mut self, depth: usize) -> String {
        let mut format = String::new();
        let count = 1 + self.below(3);
        for _ in 0..count {
            format.push('%');
            for _ in 0..self.below(3) {
                if self.chance(50) {
                    format.push_str(self.pick(&["+", "-", "#", " ", "0"]));
                }
            }
            if self.chance(25) {
                format.push_str(self.pick(&["1", "5", "10", "3", "*", "[1]", "[2]", "[3]*", "12"]));
            }
            if self.chance(25) {
                format.push_str(self.pick(&[".", ".0", ".1", ".3", ".10", ".*", ".[1]*"]));
            }
            format.push_str(self.pick(&[
                "v", "v", "s", "d", "q", "x", "X", "t", "f", "e", "g", "G", "E", "F", "c", "U", "b", "o", "O", "T",
                "p", "z", "%", "w", "!", "ü",
            ]));
            format.push_str(self.pick(&["", " ", "|", "a"]));
        }
        let mut text = format!("\"{format}\"");
        for _ in 0..(count + self.below(2)).saturating_sub(self.below(2)) {
            text.push(' ');
            text.push_str(&self.anything(depth));
        }
        text
    }

    /// A call of some function.
    pub(crate) fn call(&mut self, depth: usize) -> String {
        let (name, signature) = FUNCTIONS[self.below(FUNCTIONS.len())];
        self.call_of(name, signature, depth)
    }

    fn call_of(&mut self, name: &str, signature: &str, depth: usize) -> String {
        if name == "printf" && self.chance(80) {
            return format!("printf {}", self.format_arguments(depth));
        }
        let mut arguments = Vec::new();
        for kind in signature.chars() {
            if kind.is_ascii_uppercase() {
                for _ in 0..self.below(4) {
                    arguments.push(self.argument(kind, depth));
                }
            } else {
                arguments.push(self.argument(kind, depth));
            }
        }
        if self.chance(2) && !name.contains("ate") {
            arguments.pop();
        }
        if self.chance(2) && !name.contains("ate") {
            arguments.push(self.anything(0));
        }
        match arguments.pop() {
            Some(last) if self.chance(25) && !last.starts_with("nil") => {
                format!("{last} | {name} {}", arguments.join(" "))
            }
            Some(last) => {
                arguments.push(last);
                format!("{name} {}", arguments.join(" "))
            }
            None => name.to_owned(),
        }
    }

    /// A way to show a result with its type.
    fn shown(&mut self, call: &str) -> String {
        match self.below(8) {
            0 => format!("{{{{ ({call}) | toJson }}}}"),
            1 => format!("{{{{ printf \"%T %#v\" ({call}) ({call}) }}}}"),
            2 => format!("{{{{ toYaml ({call}) }}}}"),
            3 => format!("{{{{ {call} | quote }}}}"),
            4 => format!("{{{{ {call} | typeOf }}}}|{{{{ {call} }}}}"),
            _ => format!("{{{{ {call} }}}}"),
        }
    }

    fn pipeline(&mut self) -> String {
        match self.below(3) {
            0 => self.pick(OTHERS).to_owned(),
            1 => self.anything(1),
            _ => self.call(1),
        }
    }

    fn body(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.below(4) {
            text.push_str(&self.statement(depth));
        }
        text
    }

    fn open(&mut self) -> &'static str {
        if self.chance(20) { "{{- " } else { "{{ " }
    }

    fn close(&mut self) -> &'static str {
        if self.chance(20) { " -}}" } else { " }}" }
    }

    fn statement(&mut self, depth: usize) -> String {
        let (open, close) = (self.open(), self.close());
        let (open2, close2) = (self.open(), self.close());
        if depth == 0 {
            return match self.below(8) {
                0 => self
                    .pick(&[" ", "\n", "text", "  x\n", "a\r\nb", "}}", "{", "\t"])
                    .to_owned(),
                1 => format!("{open}/* c */{close}")
                    .replace("{{ /*", "{{/*")
                    .replace("*/ }}", "*/}}"),
                2 => format!("{open}$x := {}{close}", self.pipeline()),
                3 => format!("{open}$x = {}{close}", self.pipeline()),
                4 => format!(
                    "{open}{}{close}",
                    self.pick(&["break", "continue", "$x", "$y", "end", "else", "$x.a", ".a.b"])
                ),
                _ => format!("{open}{}{close}", self.pipeline()),
            };
        }
        let inner = self.body(depth - 1);
        let pipe = self.pipeline();
        match self.below(9) {
            0 => format!("{open}if {pipe}{close}{inner}{open2}end{close2}"),
            1 => format!(
                "{open}if {pipe}{close}{inner}{open2}else if {}{close2}{}{{{{ else }}}}e{{{{ end }}}}",
                self.pipeline(),
                self.body(0)
            ),
            2 => format!(
                "{open}with {pipe}{close}{inner}{open2}else{close2}{}{{{{ end }}}}",
                self.body(0)
            ),
            3 => format!(
                "{open}with $y := {pipe}{close}{inner}{open2}else with {}{close2}w{{{{ end }}}}",
                self.pipeline()
            ),
            4 => format!("{open}range {pipe}{close}{inner}{open2}else{close2}none{{{{ end }}}}"),
            5 => format!("{open}range $y, $x := {pipe}{close}{inner}{open2}end{close2}"),
            6 => format!("{open}range $x := {pipe}{close}[{{{{ $x }}}}]{inner}{open2}end{close2}"),
            7 => format!("{open}block \"b\" {pipe}{close}{inner}{open2}end{close2}{{{{ template \"b\" . }}}}"),
            _ => format!("{open}range $x = {pipe}{close}{inner}{open2}end{close2}{{{{ $x }}}}"),
        }
    }

    /// Tokens in any order.
    fn soup(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.below(14) {
            text.push_str(self.pick(TOKENS));
            if self.chance(60) {
                text.push(' ');
            }
        }
        text
    }

    /// A document of YAML or JSON of which some characters are others, as a literal.
    fn document(&mut self) -> String {
        let mut text: Vec<char> = self.pick(DOCUMENTS).chars().collect();
        for _ in 0..self.below(4) {
            let at = self.below(text.len() + 1);
            match self.below(4) {
                0 => text.truncate(at.max(1)),
                1 if at < text.len() => {
                    text.remove(at);
                }
                _ => {
                    let piece = self.pick(PIECES);
                    text.splice(at..at, piece.chars());
                }
            }
        }
        let mut literal = "\"".to_owned();
        for c in text {
            match c {
                '"' | '\\' => literal.extend(['\\', c]),
                '\n' => literal.push_str("\\n"),
                '\t' => literal.push_str("\\t"),
                '\r' => literal.push_str("\\r"),
                _ if c.is_control() => literal.push_str(&format!("\\x{:02x}", u32::from(c))),
                _ => literal.push(c),
            }
        }
        literal + "\""
    }

    /// A template.
    pub(crate) fn template(&mut self) -> String {
        match self.below(20) {
            0..=2 => format!("{{{{ printf {} }}}}", self.format_arguments(1)),
            3..=5 => {
                let depth = 1 + self.below(3);
                let body = self.body(depth);
                format!("{{{{ $x := 1 }}}}{{{{ $y := 2 }}}}{body}")
            }
            6 => self.soup(),
            7 | 8 => {
                let value = self.container(2);
                let function = self.pick(&[
                    "toYaml",
                    "toJson",
                    "toPrettyJson",
                    "toToml",
                    "toYamlPretty",
                    "print",
                    "toRawJson",
                    "html",
                    "js",
                    "printf \"%#v\"",
                    "printf \"%+v\"",
                    "quote",
                ]);
                format!("{{{{ {function} {value} }}}}")
            }
            9 => {
                let text = self.string();
                format!(
                    "{{{{ toYaml {text} }}}}|{{{{ toYaml (dict {text} {text}) }}}}|{{{{ toYaml (list (list {text})) }}}}|{{{{ fromYaml {text} | toJson }}}}"
                )
            }
            10 => {
                let text = self.document();
                format!(
                    "{{{{ fromYaml {text} | toJson }}}}|{{{{ fromYamlArray {text} | toJson }}}}|{{{{ fromJson {text} | toJson }}}}|{{{{ fromJsonArray {text} | toJson }}}}"
                )
            }
            _ => {
                let call = self.call(2);
                format!("{{{{ $x := 1 }}}}{{{{ $y := list }}}}{}", self.shown(&call))
            }
        }
    }
}
