//! Customers and vendors as people call them, and the ids that the books know them by.

/// A customer or vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Of the books.
    pub id: String,
    pub name: String,
}

/// The ids of those who are typed one a line, each by name or by id. `kept` are taken as ids, whatever they are.
///
/// # Errors
///
/// What to type instead of the first line that means nobody, or more than one.
pub fn ids_of(typed: &str, known: &[Party], kept: &[String]) -> Result<Vec<String>, String> {
    let mut ids = Vec::new();
    for line in typed.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let same: Vec<_> = named(line, known).collect();
        match same.as_slice() {
            [one] => ids.push(one.id.clone()),
            [] if kept.iter().any(|id| id == line) => ids.push(line.to_owned()),
            [] if is_list_of_ids(line) => ids.extend(digits(line).map(str::to_owned)),
            [] => {
                return Err(format!(
                    "no document of “{line}” has come in lately: type the name as Zoho Books has it, or the \
                     customer’s id"
                ));
            }
            several => {
                let all: Vec<_> = several.iter().map(|party| party.id.as_str()).collect();
                return Err(format!(
                    "“{line}” is the name of several: type an id instead, {}",
                    all.join(" or ")
                ));
            }
        }
    }
    Ok(ids)
}

/// One line each: the name where it is known and means only them, else the id.
pub fn names_of(ids: &[String], known: &[Party]) -> String {
    let lines = ids.iter().map(|id| {
        let party = known.iter().find(|party| party.id == *id);
        let name = party.filter(|party| named(&party.name, known).count() == 1);
        name.map_or_else(|| id.clone(), |party| plain(&party.name))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn named<'k>(name: &str, known: &'k [Party]) -> impl Iterator<Item = &'k Party> {
    let name = plain(name).to_lowercase();
    known
        .iter()
        .filter(move |party| plain(&party.name).to_lowercase() == name)
}

/// On one line.
fn plain(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_list_of_ids(line: &str) -> bool {
    digits(line).all(|word| word.bytes().all(|b| b.is_ascii_digit()))
}

fn digits(line: &str) -> impl Iterator<Item = &str> {
    line.split([',', ';', ' ', '\t']).filter(|w| !w.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Party> {
        let party = |(id, name): (&str, &str)| Party {
            id: id.to_owned(),
            name: name.to_owned(),
        };
        [
            ("46001", "Bowman & Co, Inc"),
            ("46002", "Smith"),
            ("46003", "smith"),
            ("46004", "יוסי  כהן"),
        ]
        .map(party)
        .into()
    }

    #[test]
    fn customers_are_typed_by_name_or_id_and_shown_by_name() {
        let kept = ["odd-id".to_owned()];
        let typed = " bowman & co,  inc\r\n\n46002, 46009\nodd-id\nיוסי כהן";
        let ids = ids_of(typed, &known(), &kept).unwrap();
        assert_eq!(ids, ["46001", "46002", "46009", "odd-id", "46004"]);
        let shown = names_of(&ids, &known());
        assert_eq!(shown, "Bowman & Co, Inc\n46002\n46009\nodd-id\nיוסי כהן");
        assert_eq!(ids_of(&shown, &known(), &kept).unwrap(), ids);
    }

    #[test]
    fn who_is_not_known_or_not_alone_is_refused() {
        let why = ids_of("Bowmann", &known(), &[]).unwrap_err();
        assert!(why.contains("“Bowmann” has come in lately"), "{why}");
        let why = ids_of("Smith", &known(), &[]).unwrap_err();
        assert!(why.ends_with("type an id instead, 46002 or 46003"), "{why}");
    }
}
