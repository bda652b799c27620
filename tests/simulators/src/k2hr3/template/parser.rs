//! Builds the tree of a template. Expressions are in `parser/expression.rs`.

mod expression;

use std::collections::BTreeSet;

pub(super) use expression::{Expression, Member, Operator};

use super::Broken;
use super::lexer::{Token, tokens};
use super::segment::Segment;
use expression::Cursor;

/// A piece of a parsed template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Print(Expression),
    Calculate(Expression),
    If { branches: Vec<(Expression, Vec<Node>)>, otherwise: Vec<Node> },
    While { condition: Expression, body: Vec<Node> },
    DoWhile { body: Vec<Node>, condition: Expression },
    For { start: Expression, condition: Expression, step: Expression, body: Vec<Node> },
    ForEach { variable: String, source: Expression, body: Vec<Node> },
    Break,
    Continue,
}

pub(super) fn parse(segments: &[Segment]) -> Result<Vec<Node>, Broken> {
    let mut parser = Parser { segments, at: 0 };
    let (nodes, end) = parser.block(&[])?;
    if end.is_none() { Ok(nodes) } else { Err(Broken::Syntax) }
}

pub(super) fn collect_variables(nodes: &[Node], names: &mut BTreeSet<String>) {
    for node in nodes {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Print(expression) | Node::Calculate(expression) => expression.collect(names),
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    condition.collect(names);
                    collect_variables(body, names);
                }
                collect_variables(otherwise, names);
            }
            Node::While { condition, body } | Node::DoWhile { body, condition } => {
                condition.collect(names);
                collect_variables(body, names);
            }
            Node::For { start, condition, step, body } => {
                for part in [start, condition, step] {
                    part.collect(names);
                }
                collect_variables(body, names);
            }
            Node::ForEach { variable, source, body } => {
                names.insert(variable.clone());
                source.collect(names);
                collect_variables(body, names);
            }
        }
    }
}

/// The word that ended a block, with the tokens behind it.
type End = Option<(String, Vec<Token>)>;

struct Parser<'a> {
    segments: &'a [Segment],
    at: usize,
}

impl Parser<'_> {
    /// Reads nodes until a statement starts with one of `ends`, or to the end of the template.
    fn block(&mut self, ends: &[&str]) -> Result<(Vec<Node>, End), Broken> {
        let mut nodes = Vec::new();
        while let Some(segment) = self.segments.get(self.at) {
            self.at += 1;
            let statement = match segment {
                Segment::Text(text) => {
                    nodes.push(Node::Text(text.clone()));
                    continue;
                }
                Segment::Statement(statement) if statement.starts_with('#') => continue,
                Segment::Statement(statement) => statement,
            };
            if let Some(printed) = statement.strip_prefix('=') {
                nodes.extend(printing(&tokens(printed)?)?);
                continue;
            }
            let mut tokens = tokens(statement)?;
            match tokens.first() {
                None => {}
                Some(Token::Word(word)) if ends.contains(&word.as_str()) => {
                    let word = word.clone();
                    return Ok((nodes, Some((word, tokens.split_off(1)))));
                }
                Some(_) => nodes.extend(self.statement(&tokens)?),
            }
        }
        Ok((nodes, None))
    }

    fn statement(&mut self, tokens: &[Token]) -> Result<Vec<Node>, Broken> {
        let Some((Token::Word(word), rest)) = tokens.split_first() else { return calculations(tokens) };
        let node = match word.as_str() {
            "if" => self.conditional(rest)?,
            "while" => Node::While { condition: expression::whole(rest)?, body: self.looped()? },
            "do" => self.do_while(rest)?,
            "for" => self.counted(rest)?,
            "foreach" => self.foreach(rest)?,
            "break" if rest.is_empty() => Node::Break,
            "continue" if rest.is_empty() => Node::Continue,
            _ => return calculations(tokens),
        };
        Ok(vec![node])
    }

    fn conditional(&mut self, condition: &[Token]) -> Result<Node, Broken> {
        let mut branches = Vec::new();
        let mut condition = expression::whole(condition)?;
        loop {
            let (body, end) = self.block(&["elif", "else", "endif"])?;
            branches.push((condition, body));
            let (word, rest) = end.ok_or(Broken::Syntax)?;
            match word.as_str() {
                "elif" => condition = expression::whole(&rest)?,
                _ if !rest.is_empty() => return Err(Broken::Syntax),
                "else" => return Ok(Node::If { branches, otherwise: self.closed_by("endif")? }),
                _ => return Ok(Node::If { branches, otherwise: Vec::new() }),
            }
        }
    }

    fn looped(&mut self) -> Result<Vec<Node>, Broken> {
        self.closed_by("done")
    }

    fn closed_by(&mut self, word: &str) -> Result<Vec<Node>, Broken> {
        match self.block(&[word])? {
            (body, Some((_, rest))) if rest.is_empty() => Ok(body),
            _ => Err(Broken::Syntax),
        }
    }

    fn do_while(&mut self, rest: &[Token]) -> Result<Node, Broken> {
        let (body, Some((_, condition))) = self.block(&["while"])? else { return Err(Broken::Syntax) };
        if !rest.is_empty() {
            return Err(Broken::Syntax);
        }
        Ok(Node::DoWhile { body, condition: expression::whole(&condition)? })
    }

    fn counted(&mut self, tokens: &[Token]) -> Result<Node, Broken> {
        let parts: Vec<&[Token]> = tokens.split(|token| *token == Token::Sign(";")).collect();
        let [start, condition, step] = parts[..] else { return Err(Broken::Syntax) };
        let (start, condition, step) =
            (expression::whole(start)?, expression::whole(condition)?, expression::whole(step)?);
        Ok(Node::For { start, condition, step, body: self.looped()? })
    }

    fn foreach(&mut self, tokens: &[Token]) -> Result<Node, Broken> {
        let [Token::Variable(variable), Token::Word(word), source @ ..] = tokens else {
            return Err(Broken::Syntax);
        };
        if word != "in" {
            return Err(Broken::Syntax);
        }
        let source = expression::whole(source)?;
        Ok(Node::ForEach { variable: variable.clone(), source, body: self.looped()? })
    }
}

/// `{{= a; b }}` prints `a` and only calculates `b`.
fn printing(tokens: &[Token]) -> Result<Vec<Node>, Broken> {
    let mut nodes = calculations(tokens)?.into_iter();
    let Some(Node::Calculate(first)) = nodes.next() else { return Err(Broken::Syntax) };
    Ok(std::iter::once(Node::Print(first)).chain(nodes).collect())
}

fn calculations(tokens: &[Token]) -> Result<Vec<Node>, Broken> {
    let mut cursor = Cursor::new(tokens);
    let mut nodes = Vec::new();
    while !cursor.is_at_end() {
        nodes.push(Node::Calculate(cursor.expression()?));
        if !cursor.is_at_end() && !cursor.take(";") {
            return Err(Broken::Syntax);
        }
    }
    Ok(nodes)
}
