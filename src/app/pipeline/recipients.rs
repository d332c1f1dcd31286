//! Whom a message goes to: a rule's recipient becomes people, and people become addresses over the rule's
//! channels, each step with its reason.

use std::cell::OnceCell;

use super::addresses::{
    Found, address_of, age, called, contact_country, listed, named_with_reasons, nobody,
    unknown_range,
};
use super::approvers::approvers;
use super::evaluation_input::EvaluationInput;
use crate::domain::address::Address;
use crate::domain::delivery::Channel;
use crate::domain::document::Person;
use crate::domain::event::EventSource;
use crate::domain::group::{Group, MOST_MEMBERS, Member};
use crate::domain::ids::{GroupId, MemberId};
use crate::domain::rule::{Recipient, RuleDefinition, Tries, Who};

/// How many messages a rule sends about one event: each is rendered, and all are kept in one transaction.
/// As many as a full group gets over both channels.
pub(super) const MOST_MESSAGES: usize = 2 * MOST_MEMBERS;

/// Whom a message goes to, or why nobody can be reached.
#[derive(Clone)]
pub(super) struct Reached<'a> {
    pub(super) channel: Channel,
    pub(super) address: Result<Address, String>,
    pub(super) person: Option<&'a Person>,
    pub(super) name: String,
    /// The member of a group, or nil.
    pub(super) member: MemberId,
    /// How it came to this person, where that is worth a word: who was passed over, how old the number is.
    pub(super) notes: Vec<String>,
}

impl Reached<'_> {
    fn key(&self) -> Option<(Channel, String)> {
        let address = self.address.as_ref().ok()?;
        Some((self.channel, address.key().into_owned()))
    }
}

/// Finds whom each rule names; the document's contact, whom most of them name, is looked for once.
pub(super) struct Finder<'i, 'a> {
    input: &'i EvaluationInput<'a>,
    contacts: [OnceCell<Vec<Reached<'a>>>; 2],
}

impl<'i, 'a> Finder<'i, 'a> {
    pub(super) fn new(input: &'i EvaluationInput<'a>) -> Self {
        Self {
            input,
            contacts: Default::default(),
        }
    }

    /// Whom a rule tells, each address once; somebody who cannot be reached only where nobody can be.
    pub(super) fn reach(&self, rule: &RuleDefinition) -> Vec<Reached<'a>> {
        let tries = rule.channel.tries();
        if self.input.event.source == EventSource::Test {
            return reach_tester(self.contact(Who::First, tries));
        }
        let mut all = match &rule.recipient {
            Recipient::Contact { who, .. } => {
                let named = self.contact(*who, tries);
                if rule.recipient.falls_back() && named.iter().all(|r| r.address.is_err()) {
                    self.customer(named, tries)
                } else {
                    named
                }
            }
            Recipient::Fixed(addresses) => self.fixed(addresses, tries),
            Recipient::Group(id) => self.group(*id, tries),
            Recipient::Approvers => self.approvers(tries),
        };
        let mut seen = Vec::new();
        all.retain(|reached| match reached.key() {
            Some(key) if seen.contains(&key) => false,
            key => {
                seen.extend(key);
                true
            }
        });
        bounded(all)
    }

    fn contact(&self, who: Who, tries: Tries) -> Vec<Reached<'a>> {
        match tries {
            Tries::All(channels) => {
                let over = channels
                    .iter()
                    .map(|channel| self.contact_over(who, *channel));
                over.flatten().collect()
            }
            Tries::First(first, second) if who == Who::All => self.each_by_either(first, second),
            Tries::First(first, second) => {
                let by_first = self.contact_over(who, first);
                if by_first.iter().any(|r| r.address.is_ok()) {
                    by_first
                } else {
                    instead(by_first, self.contact_over(who, second))
                }
            }
        }
    }

    /// The customer's primary contact, where the document names nobody.
    fn customer(&self, nobody: Vec<Reached<'a>>, tries: Tries) -> Vec<Reached<'a>> {
        let Some(customer) = &self.input.other_people.customer else {
            return nobody;
        };
        let person = match customer {
            Ok(person) => person,
            Err(why) => return also(nobody, why),
        };
        let country = contact_country(self.input.parsed, &self.input.context.tenant);
        let found: Vec<Result<(Channel, Found), String>> = match tries {
            Tries::All(channels) => channels
                .iter()
                .map(|channel| Ok((*channel, address_of(person, *channel, country)?)))
                .collect(),
            Tries::First(first, second) => {
                let one = either(first, second, |c| address_of(person, c, country));
                vec![one.map(|(channel, found, _)| (channel, found))]
            }
        };
        let note = "the document names nobody, so it goes to the customer’s primary contact";
        let mut reached = Vec::new();
        let mut missing = None;
        for one in found {
            match one {
                Ok((channel, found)) => {
                    let mut one = self.person_reached(person, channel, found);
                    one.notes.insert(0, note.to_owned());
                    reached.push(one);
                }
                Err(why) => missing = Some(format!("{} {why}", called(person))),
            }
        }
        match missing {
            Some(why) if reached.is_empty() => also(nobody, &why),
            _ => reached,
        }
    }

    fn contact_over(&self, who: Who, channel: Channel) -> Vec<Reached<'a>> {
        if who != Who::First {
            return self.find_contact(who, channel);
        }
        let place = match channel {
            Channel::Sms => 0,
            Channel::Email => 1,
        };
        let kept = self.contacts[place].get_or_init(|| self.find_contact(who, channel));
        kept.clone()
    }

    /// Everybody who may be meant over a channel, in the order in which they are asked.
    fn people(&self, channel: Channel) -> impl Iterator<Item = &'a Person> + use<'a> {
        let other = self.input.other_people;
        let own = other
            .documents_email
            .as_ref()
            .filter(|_| channel == Channel::Email);
        let named = self.input.parsed.persons.iter();
        named.chain(&other.remembered).chain(own)
    }

    /// Whom of them a rule means; why nobody, where that can be told from them alone.
    fn meant(&self, who: Who, channel: Channel) -> Result<Vec<&'a Person>, String> {
        let all: Vec<&Person> = self.people(channel).collect();
        if who != Who::Primary {
            return Ok(all);
        }
        let primary: Vec<&Person> = all.iter().copied().filter(|p| p.is_primary).collect();
        match all.as_slice() {
            _ if !primary.is_empty() => Ok(primary),
            [] | [_] => Ok(all),
            _ => Err(format!(
                "None of {} is the primary contact. Make one of them so in Zoho Books, or let the \
                 rule write to the first who can be reached",
                names(&all)
            )),
        }
    }

    /// The people of the document who may be written to over a channel: the first of them, or all.
    fn find_contact(&self, who: Who, channel: Channel) -> Vec<Reached<'a>> {
        let input = self.input;
        let country = contact_country(input.parsed, &input.context.tenant);
        let people = match self.meant(who, channel) {
            Ok(people) => people,
            Err(why) => return vec![self.unreached(channel, why)],
        };
        let mut passed_over = Vec::new();
        let mut reached = Vec::new();
        for person in people {
            match address_of(person, channel, country) {
                Ok(found) => reached.push(self.person_reached(person, channel, found)),
                Err(why) => passed_over.push((person, why)),
            }
            if who == Who::First && !reached.is_empty() {
                break;
            }
        }
        let Some(first) = reached.first_mut() else {
            let whom = self.whom();
            return vec![
                self.unreached(channel, nobody(input.parsed, channel, &passed_over, &whom)),
            ];
        };
        if !passed_over.is_empty() {
            first.notes.insert(
                0,
                format!("passed over: {}", named_with_reasons(&passed_over)),
            );
        }
        reached
    }

    /// Each of the document's people over the first channel, or the second where the first has no address.
    fn each_by_either(&self, first: Channel, second: Channel) -> Vec<Reached<'a>> {
        let country = contact_country(self.input.parsed, &self.input.context.tenant);
        let mut reached = Vec::new();
        let mut passed_over = Vec::new();
        for person in self.people(Channel::Email) {
            let tried = either(first, second, |channel| {
                address_of(person, channel, country)
            });
            match tried {
                Ok((channel, found, note)) => {
                    let mut one = self.person_reached(person, channel, found);
                    one.notes.extend(
                        note.map(|why| {
                            format!("{} {why}, so by {}", called(person), channel.label())
                        }),
                    );
                    reached.push(one);
                }
                Err(why) => passed_over.push((person, why)),
            }
        }
        if reached.is_empty() {
            let whom = self.whom();
            let why = nobody(self.input.parsed, first, &passed_over, &whom);
            return vec![self.unreached(first, why)];
        }
        if !passed_over.is_empty() {
            reached[0].notes.insert(
                0,
                format!("passed over: {}", named_with_reasons(&passed_over)),
            );
        }
        reached
    }

    fn person_reached(&self, person: &'a Person, channel: Channel, found: Found) -> Reached<'a> {
        let Found { address, mut notes } = found;
        notes.extend(age(person, channel, self.input.context.tenant.zone));
        notes.extend(unknown_range(&address));
        Reached {
            channel,
            address: Ok(address),
            person: Some(person),
            name: person.name().or_else(|| self.party()).unwrap_or_default(),
            member: MemberId::nil(),
            notes,
        }
    }

    fn unreached(&self, channel: Channel, why: String) -> Reached<'a> {
        Reached {
            channel,
            address: Err(why),
            person: self.people(channel).next(),
            name: self.whom(),
            member: MemberId::nil(),
            notes: Vec::new(),
        }
    }

    /// Addresses of the rule's own; over the second channel only where none is of the first.
    fn fixed(&self, addresses: &[Address], tries: Tries) -> Vec<Reached<'a>> {
        let of = |channel| addresses.iter().filter(move |a| a.channel() == channel);
        let meant: Vec<&Address> = match tries {
            Tries::All(channels) => channels.iter().flat_map(|c| of(*c)).collect(),
            Tries::First(first, second) if of(first).next().is_none() => of(second).collect(),
            Tries::First(first, _) => of(first).collect(),
        };
        let reached = meant.into_iter().map(|address| Reached {
            channel: address.channel(),
            address: Ok(address.clone()),
            person: self.people(Channel::Email).next(),
            name: match address {
                Address::Phone(number) => number.grouped(),
                Address::Email(email) => email.to_string(),
            },
            member: MemberId::nil(),
            notes: unknown_range(address).into_iter().collect(),
        });
        reached.collect()
    }

    /// The members of a group who are on.
    fn group(&self, id: GroupId, tries: Tries) -> Vec<Reached<'a>> {
        let channel = first_of(tries);
        let groups = &self.input.context.settings.groups;
        let Some(group) = groups.iter().find(|g| g.id == id) else {
            let why = "The rule’s group is gone. Choose another one in the rule, then decide this \
                       event again";
            return vec![Reached {
                name: "a group".to_owned(),
                ..self.unreached(channel, why.to_owned())
            }];
        };
        let (mut reached, mut passed_over) = (Vec::new(), Vec::new());
        for member in group.members.iter().filter(|m| m.is_on) {
            match tries {
                Tries::All(channels) => {
                    for channel in channels {
                        match member_address(member, *channel) {
                            Ok(found) => reached.push(self.member(member, *channel, found, None)),
                            Err(why) => passed_over.push(format!("{} {why}", member.name)),
                        }
                    }
                }
                Tries::First(first, second) => {
                    match either(first, second, |channel| member_address(member, channel)) {
                        Ok((channel, found, note)) => {
                            let note = note.map(|why| {
                                format!("{} {why}, so by {}", member.name, channel.label())
                            });
                            reached.push(self.member(member, channel, found, note));
                        }
                        Err(why) => passed_over.push(format!("{} {why}", member.name)),
                    }
                }
            }
        }
        if let Some(first) = reached.first_mut() {
            if !passed_over.is_empty() {
                let note = format!("passed over: {}", listed(passed_over.into_iter()));
                first.notes.insert(0, note);
            }
            return reached;
        }
        vec![Reached {
            name: group.name.clone(),
            ..self.unreached(channel, nobody_in(group, &passed_over))
        }]
    }

    fn member(
        &self,
        member: &Member,
        channel: Channel,
        found: Found,
        note: Option<String>,
    ) -> Reached<'a> {
        let mut notes = found.notes;
        notes.extend(note);
        notes.extend(unknown_range(&found.address));
        Reached {
            channel,
            address: Ok(found.address),
            person: self.people(channel).next(),
            name: member.name.clone(),
            member: member.id,
            notes,
        }
    }

    /// Who approves the document, and who submitted it. Zoho Books names them by their e-mail addresses.
    fn approvers(&self, tries: Tries) -> Vec<Reached<'a>> {
        let is_email = match tries {
            Tries::All(channels) => channels.contains(&Channel::Email),
            Tries::First(..) => true,
        };
        let unreached = |channel, why: &str| {
            vec![Reached {
                name: "the approvers".to_owned(),
                ..self.unreached(channel, why.to_owned())
            }]
        };
        if !is_email {
            let why = "Zoho Books names approvers by their e-mail addresses only. Let the rule send \
                       e-mails, or choose a group";
            return unreached(Channel::Sms, why);
        }
        let named = approvers(self.input.parsed);
        if named.is_empty() {
            let why = "The document names no approvers and nobody who submitted it. Choose a group \
                       for the rule, then decide this event again";
            return unreached(Channel::Email, why);
        }
        let reached = named.into_iter().map(|approver| Reached {
            channel: Channel::Email,
            address: Ok(Address::Email(approver.email)),
            person: self.people(Channel::Email).next(),
            name: approver.name,
            member: MemberId::nil(),
            notes: Vec::new(),
        });
        reached.collect()
    }

    fn whom(&self) -> String {
        self.party().unwrap_or_else(|| "this contact".to_owned())
    }

    fn party(&self) -> Option<String> {
        self.input
            .parsed
            .party
            .as_ref()
            .and_then(|p| p.name.clone())
    }
}

/// Whomever the rule names, a test reaches nobody but the one who sent it: the only person of its
/// document.
fn reach_tester(all: Vec<Reached<'_>>) -> Vec<Reached<'_>> {
    let reached = all.into_iter().map(|reached| {
        let address = reached.address.map_err(|_| {
            "This is a test, and tests go only to the confirmed number of whoever sends them. Confirm \
             your own number, then send another"
                .to_owned()
        });
        Reached { address, ..reached }
    });
    reached.collect()
}

/// One more reason why nobody can be reached.
fn also<'a>(nobody: Vec<Reached<'a>>, why: &str) -> Vec<Reached<'a>> {
    let told = nobody.into_iter().map(|reached| {
        let address = reached
            .address
            .map_err(|first| format!("{first}. And {why}"));
        Reached { address, ..reached }
    });
    told.collect()
}

/// What was found over the second channel, and why not over the first; where neither reaches anybody, the
/// first says so.
fn instead<'a>(first: Vec<Reached<'a>>, second: Vec<Reached<'a>>) -> Vec<Reached<'a>> {
    let Some(Err(why)) = first.first().map(|r| r.address.clone()) else {
        return second;
    };
    if second.iter().all(|r| r.address.is_err()) {
        return first;
    }
    let why = why.split(['.', ':']).next().unwrap_or_default().to_owned();
    let mut second = second;
    if let Some(one) = second.first_mut() {
        let note = format!("{}, so by {}", lower_first(&why), one.channel.label());
        one.notes.insert(0, note);
    }
    second
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_lowercase().collect::<String>());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// The first channel that has an address, and why the one before has none; or why neither has.
fn either<T>(
    first: Channel,
    second: Channel,
    of: impl Fn(Channel) -> Result<T, String>,
) -> Result<(Channel, T, Option<String>), String> {
    let why = match of(first) {
        Ok(found) => return Ok((first, found, None)),
        Err(why) => why,
    };
    match of(second) {
        Ok(found) => Ok((second, found, Some(why))),
        Err(also) => Err(format!("{why} and {also}")),
    }
}

fn member_address(member: &Member, channel: Channel) -> Result<Found, String> {
    let address = match channel {
        Channel::Sms => member.phone.clone().map(Address::Phone),
        Channel::Email => member.email.clone().map(Address::Email),
    };
    let notes = Vec::new();
    address
        .map(|address| Found { address, notes })
        .ok_or_else(|| match channel {
            Channel::Sms => "has no number".to_owned(),
            Channel::Email => "has no e-mail address".to_owned(),
        })
}

fn nobody_in(group: &Group, passed_over: &[String]) -> String {
    if passed_over.is_empty() {
        format!(
            "Nobody in the group {} is switched on. Add somebody under Groups, then decide this \
             event again",
            group.name
        )
    } else {
        format!(
            "Nobody in the group {} can be reached: {}. Complete them under Groups, then decide \
             this event again",
            group.name,
            listed(passed_over.iter().cloned())
        )
    }
}

const fn first_of(tries: Tries) -> Channel {
    match tries {
        Tries::All(channels) => channels[0],
        Tries::First(first, _) => first,
    }
}

/// No more than may be sent; whom that leaves out is said.
fn bounded(mut all: Vec<Reached<'_>>) -> Vec<Reached<'_>> {
    if all.len() > MOST_MESSAGES {
        let left_out = all.split_off(MOST_MESSAGES);
        let whom = left_out.into_iter().map(|reached| {
            let channel = reached.channel.label();
            format!("{} by {channel}", reached.name)
        });
        let note = format!(
            "{MOST_MESSAGES} messages, as many as a rule sends about one event; not sent to: {}",
            listed(whom)
        );
        all[0].notes.insert(0, note);
    }
    all
}

fn names(people: &[&Person]) -> String {
    listed(people.iter().map(|p| called(p)))
}
