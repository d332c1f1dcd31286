//! The first pass over a template: its tokens, counted before anything recursive reads them.
//!
//! minijinja's parser bounds nested parentheses and blocks at 150, but not `not not not …`,
//! `- - - …`, `{% elif %}` chains or `a.b.c.d…`, each of which would overflow the stack of a
//! thread from 16 KB of source. So no tag may hold more than a few dozen tokens.

use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::problem::TemplateProblem;

const MAX_TAGS: usize = 500;
const MAX_TOKENS_PER_TAG: usize = 80;
const MAX_WORDS_PER_TAG: usize = 12;
const MAX_OPEN_BRACKETS: usize = 8;
const MAX_OPEN_BLOCKS: usize = 8;
const MAX_ELIFS: usize = 20;

/// The bytes of a `{% … %}` that stands alone on its line, which then leaves no blank line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AloneTag {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Refuses what is too deep or outside the language; tells the tags that stand alone.
pub(super) fn scan(source: &str) -> Result<Vec<AloneTag>, TemplateProblem> {
    let mut pass = Scan {
        source,
        ..Scan::default()
    };
    for token in tokenize(source, false, SyntaxConfig::default()) {
        let (token, span) = token.map_err(|error| TemplateProblem::from_parser(&error))?;
        pass.take(&token, span)?;
    }
    Ok(pass.alone)
}

#[derive(Default)]
struct Scan<'s> {
    source: &'s str,
    alone: Vec<AloneTag>,
    tags: usize,
    /// Where the present `{% … %}` began; none in `{{ … }}` and outside.
    block_start: Option<usize>,
    tokens: usize,
    words: usize,
    brackets: usize,
    after_minus: bool,
    /// One per open `if` or `for`: how many `elif` it has.
    open: Vec<usize>,
}

impl Scan<'_> {
    fn take(&mut self, token: &Token<'_>, span: Span) -> Result<(), TemplateProblem> {
        let refuse = |message: &str| Err(TemplateProblem::at(span, message));
        if self.after_minus && !matches!(token, Token::Int(_) | Token::Int128(_) | Token::Float(_))
        {
            return refuse("arithmetic is not available; only a number may have a minus sign");
        }
        self.after_minus = false;
        match token {
            Token::VariableStart | Token::BlockStart => {
                self.tags += 1;
                (self.tokens, self.words, self.brackets) = (0, 0, 0);
                self.block_start =
                    matches!(token, Token::BlockStart).then_some(span.start_offset as usize);
                return if self.tags > MAX_TAGS {
                    refuse("too many tags; 500 at the most")
                } else {
                    Ok(())
                };
            }
            Token::TemplateData(_) | Token::VariableEnd => return Ok(()),
            Token::BlockEnd => {
                if let Some(start) = self.block_start.take() {
                    self.note_alone(start, span.end_offset as usize);
                }
                return Ok(());
            }
            Token::Ident(word) => {
                if self.tokens == 0 && self.block_start.is_some() {
                    self.open_or_close(word, span)?;
                } else if matches!(*word, "not" | "if" | "else" | "and" | "or" | "in" | "is") {
                    self.words += 1;
                }
            }
            Token::BracketOpen | Token::ParenOpen => self.brackets += 1,
            Token::BracketClose | Token::ParenClose => {
                self.brackets = self.brackets.saturating_sub(1);
            }
            Token::Minus => self.after_minus = true,
            Token::Tilde | Token::Plus => {
                return refuse("joining is not available; write the parts next to each other");
            }
            Token::Mul | Token::Div | Token::FloorDiv | Token::Pow | Token::Mod => {
                return refuse("arithmetic is not available");
            }
            Token::Colon | Token::BraceOpen | Token::BraceClose => {
                return refuse("slices and maps are not available");
            }
            _ => {}
        }
        self.tokens += 1;
        if self.tokens > MAX_TOKENS_PER_TAG
            || self.words > MAX_WORDS_PER_TAG
            || self.brackets > MAX_OPEN_BRACKETS
        {
            return refuse("this tag is too complicated; split it");
        }
        Ok(())
    }

    fn open_or_close(&mut self, word: &str, span: Span) -> Result<(), TemplateProblem> {
        let refuse = |message: String| Err(TemplateProblem::at(span, message));
        match word {
            "if" | "for" => {
                self.open.push(0);
                if self.open.len() > MAX_OPEN_BLOCKS {
                    return refuse("blocks are nested too deeply; 8 at the most".to_owned());
                }
            }
            "elif" => {
                if let Some(count) = self.open.last_mut() {
                    *count += 1;
                    if *count > MAX_ELIFS {
                        return refuse("too many elif; 20 at the most".to_owned());
                    }
                }
            }
            "endif" | "endfor" => drop(self.open.pop()),
            "else" => {}
            other => {
                let word: String = other.chars().take(40).collect();
                return refuse(format!(
                    "`{word}` is not available; tags are if, elif, else and for"
                ));
            }
        }
        Ok(())
    }

    fn note_alone(&mut self, start: usize, end: usize) {
        let (Some(before), Some(after)) = (self.source.get(..start), self.source.get(end..)) else {
            return;
        };
        let line_before = before.rsplit('\n').next().unwrap_or_default();
        let line_after = after.split('\n').next().unwrap_or_default();
        if line_before.trim().is_empty() && line_after.trim().is_empty() {
            self.alone.push(AloneTag { start, end });
        }
    }
}
