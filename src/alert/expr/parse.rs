//! Text to [`Condition`], by recursive descent over at most 2,000 bytes and 32 levels.

use super::super::diagnostic::nearest;
use super::super::duration;
use super::{Arithmetic, Comparison, Condition, Name, Number};

/// What is wrong with an expression, and where (bytes from its start).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// First wrong byte.
    pub offset: usize,
    /// Wrong bytes.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub expected: String,
}

/// Reads a condition.
///
/// # Errors
/// The first mistake, with its place.
pub fn parse(text: &str) -> Result<Condition, Mistake> {
    if let Some(beyond) = text.get(text.floor_char_boundary(2_000)..).filter(|beyond| text.len() > 2_000 && !beyond.is_empty()) {
        return Err(Mistake {
            offset: text.len() - beyond.len(),
            len: beyond.chars().next().map_or(1, char::len_utf8),
            message: format!("the expression is {} bytes long", text.len()),
            expected: "at most 2000 bytes".to_owned(),
        });
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let typed = parser.disjunction()?;
    let condition = parser.condition(typed)?;
    match parser.peek()? {
        Token { kind: Kind::End, .. } => Ok(condition),
        other => Err(parser.mistake(other, "does not belong here", "`and`, `or`, an operator or the end")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number(f64),
    Name(Name),
    And,
    Or,
    Not,
    Open,
    Close,
    Compare(Comparison),
    Arithmetic(Arithmetic),
    End,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    kind: Kind,
    offset: usize,
    len: usize,
}

/// A condition or a number, with its place, until the context says which is wanted.
struct Typed {
    kind: Either,
    offset: usize,
    end: usize,
}

enum Either {
    Condition(Condition),
    Number(Number),
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

/// Levels of nesting that are read.
const MAX_DEPTH: usize = 32;

impl Parser<'_> {
    fn disjunction(&mut self) -> Result<Typed, Mistake> {
        let mut left = self.conjunction()?;
        while self.peek()?.kind == Kind::Or {
            self.next()?;
            let right = self.conjunction()?;
            left = self.join(left, right, Condition::Or)?;
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Typed, Mistake> {
        let mut left = self.negation()?;
        while self.peek()?.kind == Kind::And {
            self.next()?;
            let right = self.negation()?;
            left = self.join(left, right, Condition::And)?;
        }
        Ok(left)
    }

    fn join(&self, left: Typed, right: Typed, with: fn(Box<Condition>, Box<Condition>) -> Condition) -> Result<Typed, Mistake> {
        let (offset, end) = (left.offset, right.end);
        let (left, right) = (self.condition(left)?, self.condition(right)?);
        Ok(Typed { kind: Either::Condition(with(Box::new(left), Box::new(right))), offset, end })
    }

    fn negation(&mut self) -> Result<Typed, Mistake> {
        let token = self.peek()?;
        if token.kind != Kind::Not {
            return self.comparison();
        }
        self.next()?;
        self.enter(token)?;
        let inner = self.negation()?;
        self.depth -= 1;
        let end = inner.end;
        let inner = self.condition(inner)?;
        Ok(Typed { kind: Either::Condition(Condition::Not(Box::new(inner))), offset: token.offset, end })
    }

    fn comparison(&mut self) -> Result<Typed, Mistake> {
        let left = self.sum()?;
        let Token { kind: Kind::Compare(comparison), .. } = self.peek()? else { return Ok(left) };
        self.next()?;
        let right = self.sum()?;
        if let again @ Token { kind: Kind::Compare(_), .. } = self.peek()? {
            return Err(self.mistake(again, "compares a comparison", "two comparisons joined by `and`"));
        }
        let (offset, end) = (left.offset, right.end);
        let (left, right) = (self.number(left)?, self.number(right)?);
        Ok(Typed { kind: Either::Condition(Condition::Compare(left, comparison, right)), offset, end })
    }

    fn sum(&mut self) -> Result<Typed, Mistake> {
        let mut left = self.product()?;
        while let Kind::Arithmetic(operator @ (Arithmetic::Add | Arithmetic::Subtract)) = self.peek()?.kind {
            self.next()?;
            let right = self.product()?;
            left = self.combine(left, operator, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Typed, Mistake> {
        let mut left = self.factor()?;
        while let Kind::Arithmetic(operator @ (Arithmetic::Multiply | Arithmetic::Divide)) = self.peek()?.kind {
            self.next()?;
            let right = self.factor()?;
            left = self.combine(left, operator, right)?;
        }
        Ok(left)
    }

    fn combine(&self, left: Typed, operator: Arithmetic, right: Typed) -> Result<Typed, Mistake> {
        let (offset, end) = (left.offset, right.end);
        let (left, right) = (self.number(left)?, self.number(right)?);
        Ok(Typed { kind: Either::Number(Number::Binary(Box::new(left), operator, Box::new(right))), offset, end })
    }

    fn factor(&mut self) -> Result<Typed, Mistake> {
        let token = self.next()?;
        let end = token.offset + token.len;
        match token.kind {
            Kind::Number(value) => Ok(Typed { kind: Either::Number(Number::Literal(value)), offset: token.offset, end }),
            Kind::Name(name) => Ok(Typed { kind: Either::Number(Number::Name(name)), offset: token.offset, end }),
            Kind::Arithmetic(Arithmetic::Subtract) => {
                self.enter(token)?;
                let inner = self.factor()?;
                self.depth -= 1;
                let end = inner.end;
                let inner = self.number(inner)?;
                Ok(Typed { kind: Either::Number(Number::Negative(Box::new(inner))), offset: token.offset, end })
            }
            Kind::Open => {
                self.enter(token)?;
                let inner = self.disjunction()?;
                self.depth -= 1;
                let close = self.next()?;
                if close.kind != Kind::Close {
                    return Err(self.mistake(close, "stands where a parenthesis is still open", "`)`"));
                }
                Ok(Typed { offset: token.offset, end: close.offset + close.len, ..inner })
            }
            _ => Err(self.mistake(token, "does not belong here", "a number, a name, `not`, `-` or `(`")),
        }
    }

    fn enter(&mut self, token: Token) -> Result<(), Mistake> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.mistake(token, "is nested too deeply", "at most 32 levels"));
        }
        Ok(())
    }

    fn condition(&self, typed: Typed) -> Result<Condition, Mistake> {
        match typed.kind {
            Either::Condition(condition) => Ok(condition),
            Either::Number(_) => Err(self.wrong_type(&typed, "a number", "a condition, for example `value < 0.8`")),
        }
    }

    fn number(&self, typed: Typed) -> Result<Number, Mistake> {
        match typed.kind {
            Either::Number(number) => Ok(number),
            Either::Condition(_) => Err(self.wrong_type(&typed, "a condition", "a number")),
        }
    }

    fn wrong_type(&self, typed: &Typed, is: &str, expected: &str) -> Mistake {
        let text = self.text.get(typed.offset..typed.end).unwrap_or_default();
        Mistake {
            offset: typed.offset,
            len: typed.end - typed.offset,
            message: format!("`{text}` is {is}"),
            expected: expected.to_owned(),
        }
    }

    fn mistake(&self, token: Token, problem: &str, expected: &str) -> Mistake {
        let found = match self.text.get(token.offset..token.offset + token.len) {
            Some(text) if !text.is_empty() => format!("`{text}`"),
            _ => "the end".to_owned(),
        };
        Mistake { offset: token.offset, len: token.len, message: format!("{found} {problem}"), expected: expected.to_owned() }
    }

    fn peek(&mut self) -> Result<Token, Mistake> {
        let at = self.at;
        let token = self.next();
        self.at = at;
        token
    }

    fn next(&mut self) -> Result<Token, Mistake> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let offset = self.at + (rest.len() - rest.trim_start().len());
        let rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            self.at = offset;
            return Ok(Token { kind: Kind::End, offset, len: 0 });
        };
        let (kind, len) = if first.is_ascii_digit() || first == '.' {
            number(rest).map_err(|(len, expected)| Mistake {
                offset,
                len,
                message: format!("`{}` is not a number", rest.get(..len).unwrap_or_default()),
                expected: expected.to_owned(),
            })?
        } else if first.is_alphabetic() || first == '_' {
            let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (word_kind(offset, rest.get(..len).unwrap_or_default())?, len)
        } else {
            symbol(rest).ok_or_else(|| Mistake {
                offset,
                len: first.len_utf8(),
                message: format!("`{first}` is not part of the language"),
                expected: "`< <= > >= == != + - * / ( )`, `and`, `or`, `not`, a number or a name".to_owned(),
            })?
        };
        self.at = offset + len;
        Ok(Token { kind, offset, len })
    }
}

fn word_kind(offset: usize, word: &str) -> Result<Kind, Mistake> {
    match word {
        "and" => return Ok(Kind::And),
        "or" => return Ok(Kind::Or),
        "not" => return Ok(Kind::Not),
        _ => {}
    }
    if let Some(name) = Name::ALL.into_iter().find(|name| name.as_str() == word) {
        return Ok(Kind::Name(name));
    }
    let hint = match nearest(&word.to_lowercase(), Name::ALL.map(Name::as_str)) {
        Some(name) => format!(" (did you mean `{name}`?)"),
        None => String::new(),
    };
    Err(Mistake {
        offset,
        len: word.len(),
        message: format!("`{word}` is not a name{hint}"),
        expected: format!("one of {}", Name::ALL.map(Name::as_str).join(", ")),
    })
}

fn symbol(rest: &str) -> Option<(Kind, usize)> {
    const SYMBOLS: [(&str, Kind); 12] = [
        ("<=", Kind::Compare(Comparison::LessOrEqual)),
        (">=", Kind::Compare(Comparison::GreaterOrEqual)),
        ("==", Kind::Compare(Comparison::Equal)),
        ("!=", Kind::Compare(Comparison::NotEqual)),
        ("<", Kind::Compare(Comparison::Less)),
        (">", Kind::Compare(Comparison::Greater)),
        ("+", Kind::Arithmetic(Arithmetic::Add)),
        ("-", Kind::Arithmetic(Arithmetic::Subtract)),
        ("*", Kind::Arithmetic(Arithmetic::Multiply)),
        ("/", Kind::Arithmetic(Arithmetic::Divide)),
        ("(", Kind::Open),
        (")", Kind::Close),
    ];
    SYMBOLS.iter().find(|(text, _)| rest.starts_with(text)).map(|(text, kind)| (*kind, text.len()))
}

/// A literal at the start of `rest`: digits, perhaps a fraction, perhaps an exponent, perhaps `%` or a unit of time.
fn number(rest: &str) -> Result<(Kind, usize), (usize, &'static str)> {
    let digits = |from: usize| rest.bytes().skip(from).take_while(u8::is_ascii_digit).count();
    let mut len = digits(0);
    if rest.as_bytes().get(len) == Some(&b'.') {
        len += 1 + digits(len + 1);
    }
    if matches!(rest.as_bytes().get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.as_bytes().get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    let word = rest.bytes().skip(len).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let value = rest.get(..len).and_then(|text| text.parse::<f64>().ok()).filter(|value| value.is_finite());
    let Some(value) = value else { return Err((len.max(1), "a number such as 0.82, 3% or 10m")) };
    if word > 0 {
        let whole = len + word;
        let micros = rest.get(..whole).and_then(duration::parse).ok_or((whole, "a number such as 0.82, 3% or 10m"))?;
        return Ok((Kind::Number(duration::seconds(micros)), whole));
    }
    if rest.as_bytes().get(len) == Some(&b'%') {
        return Ok((Kind::Number(value / 100.0), len + 1));
    }
    Ok((Kind::Number(value), len))
}
