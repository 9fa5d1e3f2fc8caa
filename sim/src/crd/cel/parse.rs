//! From text to expression: a recursive descent by precedence.

use serde_json::{Value, json};

use super::{CelError, Expression};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Literal(Value),
    Sign(&'static str),
}

/// Longer signs first, so that the first match is the right one.
const SIGNS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// How deeply expressions may nest.
const DEPTH: usize = 100;

/// Parses an expression.
///
/// # Errors
/// [`CelError::Syntax`] at the first token that does not fit.
pub(crate) fn parse(text: &str) -> Result<Expression, CelError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let expression = parser.choice()?;
    match parser.tokens.get(parser.at) {
        None => Ok(expression),
        Some(token) => Err(unexpected(Some(token))),
    }
}

fn unexpected(token: Option<&Token>) -> CelError {
    CelError::Syntax(match token {
        None => "unexpected end of the expression".into(),
        Some(Token::Name(name)) => format!("unexpected {name:?}"),
        Some(Token::Literal(value)) => format!("unexpected {value}"),
        Some(Token::Sign(sign)) => format!("unexpected {sign:?}"),
    })
}

fn tokens(text: &str) -> Result<Vec<Token>, CelError> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if first.is_ascii_digit() {
            number(rest, &mut out)?
        } else if first == '"' || first == '\'' {
            string(rest, false, &mut out)?
        } else if rest.starts_with("r\"") || rest.starts_with("r'") {
            1 + string(&rest[1..], true, &mut out)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            out.push(match &rest[..end] {
                "true" => Token::Literal(json!(true)),
                "false" => Token::Literal(json!(false)),
                "null" => Token::Literal(Value::Null),
                name => Token::Name(name.to_owned()),
            });
            end
        } else if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            out.push(Token::Sign(sign));
            sign.len()
        } else {
            return Err(CelError::Syntax(format!("unexpected character {first:?}")));
        };
        rest = rest[taken..].trim_start();
    }
    Ok(out)
}

fn number(rest: &str, out: &mut Vec<Token>) -> Result<usize, CelError> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let fraction = rest[end..]
        .strip_prefix('.')
        .filter(|t| t.starts_with(|c: char| c.is_ascii_digit()));
    let end = match fraction {
        Some(tail) => end + 1 + tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len()),
        None => end,
    };
    let text = &rest[..end];
    let bad = || CelError::Syntax(format!("invalid number {text:?}"));
    let value = if fraction.is_some() {
        json!(text.parse::<f64>().map_err(|_| bad())?)
    } else {
        json!(text.parse::<i64>().map_err(|_| bad())?)
    };
    out.push(Token::Literal(value));
    // An unsigned literal is the same number here.
    Ok(end + usize::from(rest[end..].starts_with('u')))
}

fn string(rest: &str, raw: bool, out: &mut Vec<Token>) -> Result<usize, CelError> {
    let mut chars = rest.char_indices();
    let quote = chars.next().map(|(_, c)| c);
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            c if Some(c) == quote => {
                out.push(Token::Literal(Value::String(value)));
                return Ok(at + c.len_utf8());
            }
            '\\' if !raw => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('r') => value.push('\r'),
                Some(c @ ('\\' | '"' | '\'' | '?' | '`')) => value.push(c),
                other => return Err(CelError::Syntax(format!("unknown escape {other:?}"))),
            },
            c => value.push(c),
        }
    }
    Err(CelError::Syntax("a string has no end".into()))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

type Parsed = Result<Expression, CelError>;

impl Parser {
    fn sign(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let Some(Token::Sign(found)) = self.tokens.get(self.at) else {
            return None;
        };
        let found = signs.iter().find(|s| *s == found).copied()?;
        self.at += 1;
        Some(found)
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), CelError> {
        match self.sign(&[sign]) {
            Some(_) => Ok(()),
            None => Err(unexpected(self.tokens.get(self.at))),
        }
    }

    fn choice(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(CelError::Syntax("the expression nests too deeply".into()));
        }
        let condition = self.binary(0)?;
        let parsed = if self.sign(&["?"]).is_some() {
            let yes = self.binary(0)?;
            self.expect(":")?;
            let no = self.choice()?;
            Expression::Choice(Box::new(condition), Box::new(yes), Box::new(no))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(parsed)
    }

    fn binary(&mut self, level: usize) -> Parsed {
        const LEVELS: [&[&str]; 5] = [
            &["||"],
            &["&&"],
            &["==", "!=", "<=", ">=", "<", ">"],
            &["+", "-"],
            &["*", "/", "%"],
        ];
        let Some(signs) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        loop {
            let operator = match self.sign(signs) {
                Some(sign) => sign,
                None if level == 2 && self.tokens.get(self.at) == Some(&Token::Name("in".into())) => {
                    self.at += 1;
                    "in"
                }
                None => return Ok(left),
            };
            let right = self.binary(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Parsed {
        match self.sign(&["!", "-"]) {
            Some("!") => Ok(Expression::Unary('!', Box::new(self.unary()?))),
            Some(_) => Ok(Expression::Unary('-', Box::new(self.unary()?))),
            None => self.postfix(),
        }
    }

    fn postfix(&mut self) -> Parsed {
        let mut base = self.primary()?;
        loop {
            if self.sign(&["."]).is_some() {
                let Some(Token::Name(name)) = self.tokens.get(self.at).cloned() else {
                    return Err(unexpected(self.tokens.get(self.at)));
                };
                self.at += 1;
                base = if self.sign(&["("]).is_some() {
                    Expression::Call(Some(Box::new(base)), name, self.list(")")?)
                } else {
                    Expression::Member(Box::new(base), unescaped(&name))
                };
            } else if self.sign(&["["]).is_some() {
                let index = self.choice()?;
                self.expect("]")?;
                base = Expression::Index(Box::new(base), Box::new(index));
            } else {
                return Ok(base);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Literal(value)) => Ok(Expression::Literal(value)),
            Some(Token::Name(name)) => {
                if self.sign(&["("]).is_some() {
                    return Ok(Expression::Call(None, name, self.list(")")?));
                }
                Ok(Expression::Name(name))
            }
            Some(Token::Sign("(")) => {
                let inner = self.choice()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Sign("[")) => Ok(Expression::List(self.list("]")?)),
            Some(Token::Sign("{")) => self.map(),
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn list(&mut self, end: &'static str) -> Result<Vec<Expression>, CelError> {
        let mut items = Vec::new();
        while self.sign(&[end]).is_none() {
            if !items.is_empty() {
                self.expect(",")?;
                if self.sign(&[end]).is_some() {
                    break;
                }
            }
            items.push(self.choice()?);
        }
        Ok(items)
    }

    fn map(&mut self) -> Parsed {
        let mut entries = Vec::new();
        while self.sign(&["}"]).is_none() {
            if !entries.is_empty() {
                self.expect(",")?;
            }
            let key = self.choice()?;
            self.expect(":")?;
            entries.push((key, self.choice()?));
        }
        Ok(Expression::Map(entries))
    }
}

/// The property a name stands for: characters that names cannot have are spelled out.
fn unescaped(name: &str) -> String {
    const WORDS: [(&str, &str); 4] = [
        ("__dot__", "."),
        ("__dash__", "-"),
        ("__slash__", "/"),
        ("__underscores__", "__"),
    ];
    let mut name = name.to_owned();
    for (word, text) in WORDS {
        name = name.replace(word, text);
    }
    let reserved = name.strip_prefix("__").and_then(|n| n.strip_suffix("__"));
    reserved.map_or(name.clone(), str::to_owned)
}
