//! Turns the inside of one statement into tokens.

use std::iter::Peekable;
use std::str::Chars;

use super::Broken;

/// A token of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `%name%`
    Variable(String),
    /// `'..'` or `".."`, never empty: K2HR3 takes the empty literal for a syntax error.
    Text(String),
    Number(f64),
    /// `if`, `foreach`, `null` ..
    Word(String),
    /// Operators and brackets.
    Sign(&'static str),
}

const SIGNS: [&str; 27] = [
    "&&", "||", "<<", ">>", "<=", ">=", "==", "!=", "++", "--", "<", ">", "=", "!", "+", "-", "/", "*", "&",
    "|", "(", ")", "[", "]", "{", "}", ";",
];

pub(super) fn tokens(statement: &str) -> Result<Vec<Token>, Broken> {
    let mut lexer = Lexer { rest: statement.chars().peekable(), tokens: Vec::new() };
    while lexer.step()? {}
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Reads one token; false at the end.
    fn step(&mut self) -> Result<bool, Broken> {
        let Some(&first) = self.rest.peek() else { return Ok(false) };
        let token = match first {
            _ if first.is_whitespace() => {
                self.rest.next();
                return Ok(true);
            }
            '%' if self.behind_operand() => {
                self.rest.next();
                Token::Sign("%")
            }
            '%' => Token::Variable(self.enclosed('%')?),
            '\'' | '"' => Token::Text(self.enclosed(first)?),
            '0'..='9' => self.number()?,
            '.' | '_' => self.word(),
            _ if first.is_alphabetic() => self.word(),
            _ => self.sign()?,
        };
        self.tokens.push(token);
        Ok(true)
    }

    /// Checks whether a `%` here is the remainder operator and not the start of a variable.
    fn behind_operand(&self) -> bool {
        match self.tokens.last() {
            Some(Token::Variable(_) | Token::Text(_) | Token::Number(_)) => true,
            Some(Token::Sign(sign)) => [")", "]", "}"].contains(sign),
            Some(Token::Word(word)) => {
                word.starts_with('.') || ["null", "true", "false"].contains(&word.as_str())
            }
            None => false,
        }
    }

    fn enclosed(&mut self, quote: char) -> Result<String, Broken> {
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.rest.next().ok_or(Broken::Syntax)? {
                '\\' if quote != '%' => text.push(unescaped(self.rest.next().ok_or(Broken::Syntax)?)),
                end if end == quote => break,
                other => text.push(other),
            }
        }
        if text.is_empty() { Err(Broken::Syntax) } else { Ok(text) }
    }

    fn word(&mut self) -> Token {
        let mut word = String::new();
        while let Some(next) =
            self.rest.next_if(|c| c.is_alphanumeric() || *c == '_' || (*c == '.' && word.is_empty()))
        {
            word.push(next);
        }
        Token::Word(word)
    }

    fn number(&mut self) -> Result<Token, Broken> {
        let mut digits = String::new();
        while let Some(next) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '.') {
            digits.push(next);
        }
        let radix = [("0x", 16), ("0o", 8), ("0b", 2)].iter().find_map(|(prefix, radix)| {
            digits.strip_prefix(prefix).map(|rest| u32::from_str_radix(rest, *radix))
        });
        match radix {
            Some(integer) => integer.map(|value| Token::Number(f64::from(value))).map_err(|_| Broken::Syntax),
            None => digits.parse().map(Token::Number).map_err(|_| Broken::Syntax),
        }
    }

    fn sign(&mut self) -> Result<Token, Broken> {
        let text: String = self.rest.clone().take(2).collect();
        let sign = SIGNS.into_iter().find(|sign| text.starts_with(sign)).ok_or(Broken::Syntax)?;
        for _ in sign.chars() {
            self.rest.next();
        }
        Ok(Token::Sign(sign))
    }
}

fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        other => other,
    }
}
