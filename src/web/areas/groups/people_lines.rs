//! People typed or pasted one a line: `Ann Lee, ann@acme.example, +44 7700 900123`, or as mail programs write
//! them, `Ann Lee <ann@acme.example>`.

use crate::app::FieldProblem;
use crate::app::groups::MemberInput;
use crate::web::areas::rules::form::sentence;

/// Reads the lines that say something.
pub(in crate::web) fn read(typed: &str) -> Vec<MemberInput> {
    let lines = typed.lines().filter(|line| !line.trim().is_empty());
    lines.map(person).collect()
}

fn person(line: &str) -> MemberInput {
    let mut person = MemberInput::default();
    let mut name = Vec::new();
    for part in line.split([',', ';', '\t', '<', '>']) {
        let part = part.trim().trim_matches('"');
        if part.is_empty() {
            continue;
        }
        let rest = if part.contains('@') {
            &mut person.email
        } else if is_number(part) {
            &mut person.phone
        } else {
            name.push(part);
            continue;
        };
        // A second one is no part of the name: it is refused together with the first.
        if !rest.is_empty() {
            rest.push(' ');
        }
        rest.push_str(part);
    }
    // Of an address alone: what stands before the sign, as words.
    let own = person.email.split('@').next().unwrap_or_default();
    let own = own.replace(['.', '_', '-', '+'], " ");
    if name.is_empty() {
        name.push(own.trim());
    }
    person.name = name.join(" ");
    person
}

fn is_number(part: &str) -> bool {
    let is_written_so = |c: char| c.is_ascii_digit() || " +-()./".contains(c);
    part.chars().all(is_written_so) && part.chars().any(|c| c.is_ascii_digit())
}

/// What is wrong with the people of a group, as a sentence about their line; nothing where a problem is not
/// about one of them.
pub(in crate::web) fn told(problem: &FieldProblem, typed: &str) -> Option<String> {
    let (number, _) = problem.field.strip_prefix("members.")?.split_once('.')?;
    let mut lines = typed.lines().filter(|line| !line.trim().is_empty());
    let line = lines.nth(number.parse().ok()?)?.trim();
    Some(format!("“{line}”: {}", sentence(&problem.message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read_as_they_are_typed_or_pasted() {
        let typed = "Ann Lee, ann@acme.example, +44 7700 900123\r\n\nBo <bo@acme.example>\n\
                     cy.lo@acme.example\n\"Dee, Q.\" <dee@acme.example>\n(617) 555-0123\tEve";
        let people = read(typed);
        let told: Vec<_> = people
            .iter()
            .map(|p| (p.name.as_str(), p.email.as_str(), p.phone.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("Ann Lee", "ann@acme.example", "+44 7700 900123"),
                ("Bo", "bo@acme.example", ""),
                ("cy lo", "cy.lo@acme.example", ""),
                ("Dee Q.", "dee@acme.example", ""),
                ("Eve", "", "(617) 555-0123"),
            ]
        );
        assert!(people.iter().all(|p| p.is_on));
        let problem = FieldProblem::new("members.1.email", "this is no e-mail address");
        assert_eq!(
            told_of(&problem, typed),
            "“Bo <bo@acme.example>”: This is no e-mail address."
        );
    }

    fn told_of(problem: &FieldProblem, typed: &str) -> String {
        told(problem, typed).unwrap()
    }
}
