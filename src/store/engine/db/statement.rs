//! What a statement of ours says, as far as it must be understood to tell what it filters by: its queries,
//! the clauses of each, the tables that they name, and which columns it wants to be equal.
//!
//! It is no parser of SQL. Keywords are written in capitals and names are not, as everywhere here.

use std::collections::HashMap;

/// A statement's parts refer to each other by their places.
pub(super) struct Statement<'t> {
    tokens: Vec<Token<'t>>,
    clauses: Vec<Clause>,
    /// For each query the one around it.
    queries: Vec<Option<usize>>,
    pub(super) tables: Vec<Table<'t>>,
    /// Which token closes what a token opens.
    closers: HashMap<usize, usize>,
}

struct Token<'t> {
    text: &'t str,
    clause: usize,
}

/// What comes after a keyword, up to the next or to the end of its parentheses.
struct Clause {
    kind: Kind,
    query: usize,
    /// Not all of its conditions must hold.
    has_choice: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Of a `WHERE` or an `ON`: what does not fulfil it is not there.
    Condition,
    /// Of an `ON` that leaves the rows of other tables as they are.
    OuterJoin(Option<usize>),
    From,
    /// In parentheses that open with this token.
    Nested(usize),
    Other,
}

/// A table that was looked for, under the name that it has within one query.
pub(super) struct Table<'t> {
    pub(super) name: &'t str,
    pub(super) alias: &'t str,
    pub(super) query: usize,
    /// Rows are added to it, rather than read or changed.
    pub(super) is_target: bool,
    /// The token behind its name.
    pub(super) after: usize,
}

/// A column, perhaps with its table, or a parameter.
#[derive(Clone, Copy)]
pub(super) struct Operand<'t> {
    pub(super) of: &'t str,
    pub(super) name: &'t str,
}

/// For which tables of its query a condition must hold.
#[derive(Clone, Copy)]
pub(super) enum Reach {
    All,
    /// For this one, or for none that was looked for.
    Only(Option<usize>),
}

impl Reach {
    pub(super) fn includes(self, table: usize) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == Some(table),
        }
    }
}

/// Two operands that are equal in every row, and in which query.
pub(super) struct Equality<'t> {
    pub(super) left: Operand<'t>,
    pub(super) right: Operand<'t>,
    pub(super) reach: Reach,
    pub(super) query: usize,
}

/// `(a, b) IN (SELECT c, d FROM v)`, where it must hold: pairs of operands.
pub(super) struct Listed<'t> {
    pub(super) pairs: Vec<(Operand<'t>, Operand<'t>)>,
    pub(super) reach: Reach,
    pub(super) query: usize,
}

/// Where the reader stands within one pair of parentheses.
#[derive(Clone, Copy)]
struct Frame {
    opener: usize,
    query: usize,
    clause: usize,
    /// The last table that was joined, and whether other rows stay without it.
    joined: Option<usize>,
    is_outer: bool,
}

/// What ends a clause and begins another.
const KEYWORDS: [&str; 24] = [
    "SELECT",
    "FROM",
    "WHERE",
    "ON",
    "SET",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "RETURNING",
    "VALUES",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "INNER",
    "DO",
    "FOR",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "USING",
];

impl<'t> Statement<'t> {
    /// Reads a text, and takes note of the tables that are `wanted`.
    pub(super) fn read(text: &'t str, wanted: &[&str]) -> Result<Self, String> {
        let words = words(text)?;
        let mut read = Self {
            tokens: Vec::with_capacity(words.len()),
            clauses: Vec::new(),
            queries: vec![None],
            tables: Vec::new(),
            closers: HashMap::new(),
        };
        let mut frames = Vec::new();
        let mut frame = Frame {
            opener: 0,
            query: 0,
            clause: read.begin(Kind::Other, 0),
            joined: None,
            is_outer: false,
        };
        for (place, word) in words.iter().copied().enumerate() {
            if word == ")" {
                read.closers.insert(frame.opener, place);
                frame = frames.pop().ok_or("a parenthesis too many")?;
            } else {
                read.follow(Words(&words, place), &mut frame, wanted);
            }
            read.tokens.push(Token {
                text: word,
                clause: frame.clause,
            });
            if word == "(" {
                frames.push(frame);
                frame = read.open(Words(&words, place), frame);
            }
        }
        if frames.is_empty() {
            Ok(read)
        } else {
            Err("a parenthesis is open".to_owned())
        }
    }

    fn begin(&mut self, kind: Kind, query: usize) -> usize {
        self.clauses.push(Clause {
            kind,
            query,
            has_choice: false,
        });
        self.clauses.len() - 1
    }

    fn open(&mut self, words: Words<'_, 't>, outer: Frame) -> Frame {
        let mut frame = Frame {
            opener: words.1,
            joined: None,
            is_outer: false,
            ..outer
        };
        let mut kind = Kind::Nested(words.1);
        if words.at(1) == "SELECT" {
            self.queries.push(Some(outer.query));
            frame.query = self.queries.len() - 1;
            kind = Kind::Other;
        }
        frame.clause = self.begin(kind, frame.query);
        frame
    }

    /// Takes note of what a word begins.
    fn follow(&mut self, words: Words<'_, 't>, frame: &mut Frame, wanted: &[&str]) {
        let word = words.at(0);
        let clause = self.clauses.get_mut(frame.clause);
        let is_in_from = clause
            .as_ref()
            .is_some_and(|c| matches!(c.kind, Kind::From));
        if let Some(clause) = clause
            && matches!(word, "OR" | "CASE" | "BETWEEN")
        {
            clause.has_choice = true;
        }
        if matches!(word, "UNION" | "EXCEPT" | "INTERSECT") {
            let around = self.queries.get(frame.query).copied().flatten();
            self.queries.push(around);
            frame.query = self.queries.len() - 1;
        }
        if KEYWORDS.contains(&word) {
            let kind = match word {
                "ON" if words.at(1) == "CONFLICT" => Kind::Other,
                "ON" if frame.is_outer => Kind::OuterJoin(frame.joined),
                "WHERE" | "ON" => Kind::Condition,
                "FROM" => Kind::From,
                _ => Kind::Other,
            };
            frame.clause = self.begin(kind, frame.query);
        }
        let names_table = match word {
            "FROM" | "JOIN" => true,
            "," => is_in_from,
            "UPDATE" => !matches!(words.before(), "FOR" | "DO"),
            "INTO" => words.before() == "INSERT",
            _ => false,
        };
        let table = names_table
            .then(|| words.table(frame.query, wanted))
            .flatten();
        let number = table.map(|table| {
            self.tables.push(table);
            self.tables.len() - 1
        });
        if word == "JOIN" {
            frame.joined = number;
            frame.is_outer = matches!(words.before(), "LEFT" | "RIGHT" | "FULL" | "OUTER");
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn text(&self, place: usize) -> &'t str {
        self.tokens.get(place).map_or("", |token| token.text)
    }

    /// The highest number of a parameter.
    pub(super) fn parameters(&self) -> usize {
        let tokens = self.tokens.iter();
        let numbers = tokens.filter_map(|t| t.text.strip_prefix('$')?.parse().ok());
        numbers.max().unwrap_or(0)
    }

    /// What closes the parenthesis that opens here.
    pub(super) fn closer(&self, opener: usize) -> Option<usize> {
        self.closers.get(&opener).copied()
    }

    /// The parts of a list, each from one token to before another.
    pub(super) fn list(&self, start: usize, end: usize) -> Vec<(usize, usize)> {
        let (mut parts, mut begin, mut place) = (Vec::new(), start, start);
        while place < end {
            if self.text(place) == "," {
                parts.push((begin, place));
                begin = place + 1;
            }
            place = self.closer(place).unwrap_or(place) + 1;
        }
        parts.push((begin, end));
        parts
    }

    /// Where the clause of a keyword ends.
    pub(super) fn end_of_clause(&self, keyword: usize) -> usize {
        let mut place = keyword + 1;
        while place < self.len() && self.clause(place) == self.clause(keyword) {
            place = self.closer(place).unwrap_or(place) + 1;
        }
        place
    }

    fn clause(&self, place: usize) -> Option<usize> {
        self.tokens.get(place).map(|token| token.clause)
    }

    /// The operand that a part of a list is, if it is nothing else.
    pub(super) fn operand(&self, (start, end): (usize, usize)) -> Option<Operand<'t>> {
        let (operand, after) = self.operand_after(start)?;
        (after == end).then_some(operand)
    }

    fn operand_after(&self, start: usize) -> Option<(Operand<'t>, usize)> {
        if self.text(start + 1) == "." {
            let operand = Operand::of(self.text(start), self.text(start + 2))?;
            Some((operand, start + 3))
        } else {
            Some((Operand::of("", self.text(start))?, start + 1))
        }
    }

    fn operand_before(&self, end: usize) -> Option<(Operand<'t>, usize)> {
        let last = end.checked_sub(1)?;
        if last >= 2 && self.text(last - 1) == "." {
            let operand = Operand::of(self.text(last - 2), self.text(last))?;
            Some((operand, last - 2))
        } else {
            Some((Operand::of("", self.text(last))?, last))
        }
    }

    /// The table that a name leads to, in this query or one around it.
    pub(super) fn named(&self, alias: &str, query: usize) -> Option<usize> {
        let mut query = Some(query);
        while let Some(at) = query {
            let is_it = |t: &Table<'_>| !t.is_target && t.query == at && t.alias == alias;
            if let Some(number) = self.tables.iter().position(is_it) {
                return Some(number);
            }
            query = self.queries.get(at).copied().flatten();
        }
        None
    }

    /// What is said to be equal where it must hold.
    pub(super) fn equalities(&self) -> impl Iterator<Item = Equality<'t>> {
        let tokens = self.tokens.iter().enumerate();
        tokens.filter_map(|(place, token)| {
            if token.text != "=" {
                return None;
            }
            let (left, start) = self.operand_before(place)?;
            let (right, end) = self.operand_after(place + 1)?;
            Some(Equality {
                left,
                right,
                reach: self.reach(start, end, token.clause)?,
                query: self.clauses.get(token.clause)?.query,
            })
        })
    }

    /// Which columns are looked for in the list of records.
    pub(super) fn listed(&self) -> impl Iterator<Item = Listed<'t>> {
        let tokens = self.tokens.iter().enumerate();
        tokens.filter_map(|(place, token)| {
            let end = self.closer(place + 1).filter(|_| token.text == "IN")?;
            let (from, to) = (place + 3, end.checked_sub(2)?);
            if self.text(from - 1) != "SELECT"
                || self.text(to) != "FROM"
                || self.text(to + 1) != "v"
            {
                return None;
            }
            let mut closers = self.closers.iter();
            let (opener, _) = closers.find(|(_, closer)| **closer + 1 == place)?;
            let left = self.list(opener + 1, place - 1);
            let right = self.list(from, to);
            let pairs = left.into_iter().zip(right);
            let pairs =
                pairs.map(|(left, right)| Some((self.operand(left)?, self.operand(right)?)));
            Some(Listed {
                pairs: pairs.collect::<Option<_>>()?,
                reach: self.reach(*opener, end + 1, token.clause)?,
                query: self.clauses.get(token.clause)?.query,
            })
        })
    }

    /// For which tables a condition from one token to before another must hold; `None` when it need not.
    fn reach(&self, start: usize, end: usize, clause: usize) -> Option<Reach> {
        let clause = self.clauses.get(clause)?;
        let (before, after) = (self.text(start.checked_sub(1)?), self.text(end));
        let begins = matches!(before, "WHERE" | "ON" | "AND" | "(");
        let ends = matches!(after, "" | "AND" | ")") || KEYWORDS.contains(&after);
        if !begins || !ends || clause.has_choice {
            return None;
        }
        match clause.kind {
            Kind::Condition => Some(Reach::All),
            Kind::OuterJoin(table) => Some(Reach::Only(table)),
            Kind::Nested(opener) => {
                let mut end = self.closer(opener)? + 1;
                if (self.text(end), self.text(end + 1)) == ("IS", "TRUE") {
                    end += 2;
                }
                self.reach(opener, end, self.clause(opener)?)
            }
            Kind::From | Kind::Other => None,
        }
    }
}

impl<'t> Operand<'t> {
    fn of(of: &'t str, name: &'t str) -> Option<Self> {
        let begins = name.chars().next()?;
        (begins == '$' || begins.is_ascii_lowercase()).then_some(Self { of, name })
    }
}

/// The words of a statement, and the one that is read.
#[derive(Clone, Copy)]
struct Words<'w, 't>(&'w [&'t str], usize);

impl<'t> Words<'_, 't> {
    /// So many words on.
    fn at(self, ahead: usize) -> &'t str {
        self.0.get(self.1 + ahead).copied().unwrap_or_default()
    }

    fn before(self) -> &'t str {
        let before = self.1.checked_sub(1).and_then(|place| self.0.get(place));
        before.copied().unwrap_or_default()
    }

    /// The table that is named next, if it is wanted.
    fn table(self, query: usize, wanted: &[&str]) -> Option<Table<'t>> {
        let (name, next) = (self.at(1), self.at(2));
        if !wanted.contains(&name) || next == "." {
            return None;
        }
        Some(Table {
            name,
            alias: match next {
                "AS" => self.at(3),
                alias if alias.starts_with(|c: char| c.is_ascii_lowercase()) => alias,
                _ => name,
            },
            query,
            is_target: self.at(0) == "INTO",
            after: self.1 + 2,
        })
    }
}

/// The words, numbers, parameters, texts and signs of a statement, without its comments.
fn words(text: &str) -> Result<Vec<&str>, String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '\'' {
            // A doubled quote begins another text, which changes nothing here.
            let end = rest.char_indices().skip(1).find(|(_, c)| *c == '\'');
            end.ok_or("a text is open")?.0 + 1
        } else if first == '"' || rest.starts_with("/*") {
            return Err("quoted names and long comments are not understood".to_owned());
        } else {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            match rest.find(|c| !is_word(c)).unwrap_or(rest.len()) {
                0 => ["<>", "<=", ">=", "!=", "||", "::"]
                    .iter()
                    .find(|sign| rest.starts_with(**sign))
                    .map_or(first.len_utf8(), |sign| sign.len()),
                length => length,
            }
        };
        let (word, after) = rest.split_at(length);
        if !first.is_whitespace() && !word.starts_with("--") {
            words.push(word);
        }
        rest = after;
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_its_words() {
        assert_eq!(
            words("a.b=$12 -- c = $1\nAND d<>'it''s' || e::text").unwrap(),
            [
                "a", ".", "b", "=", "$12", "AND", "d", "<>", "'it'", "'s'", "||", "e", "::", "text"
            ]
        );
        assert!(words("a = 'b").is_err());
        assert!(words("\"a\" = b").is_err());
        assert!(Statement::read("SELECT (a", &[]).is_err());
        assert!(Statement::read("SELECT a)", &[]).is_err());
    }

    #[test]
    fn tables_are_known_by_the_names_of_their_queries() {
        let text = "SELECT * FROM a x JOIN b AS y ON y.i = x.i, a \
                    WHERE EXISTS (SELECT 1 FROM a WHERE a.i = x.i) FOR UPDATE OF x";
        let statement = Statement::read(text, &["a", "b"]).unwrap();
        let named: Vec<_> = statement
            .tables
            .iter()
            .map(|t| (t.alias, t.query))
            .collect();
        assert_eq!(named, [("x", 0), ("y", 0), ("a", 1)]);
        assert_eq!(statement.named("a", 1), Some(2));
        assert_eq!(statement.named("x", 1), Some(0));
        assert_eq!(statement.named("a", 0), None);
    }
}
