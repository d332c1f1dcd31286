//! What may stand in the database for one message, and what is to be expected of it.

/// What the message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// A reminder of 100.00, due the day before yesterday.
    Overdue,
    /// That the invoice was made; its balance and its due date are of no account.
    Created,
    /// Something that no document is asked about.
    Nothing,
}

/// What the document has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paper {
    Overdue,
    /// Nothing is known of it any more.
    Forgotten,
    /// Only a payment has named it.
    Named,
    /// It is another tenant's.
    Foreign,
    Paid,
    Void,
    Draft,
    /// Its due date was moved.
    Moved,
    /// Paid in part, as its own body says.
    Part,
    /// Paid, as a payment's body says.
    Applied,
    /// A payment's body that is older than its own.
    AppliedBefore,
}

impl Paper {
    fn is_unknown(self) -> bool {
        matches!(self, Self::Forgotten | Self::Named | Self::Foreign)
    }
}

/// When contacts may be written to. It is noon in London, and nine in the evening in Tokyo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hours {
    Any,
    Day,
    Night,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    London,
    /// The same clock under another name.
    Lisbon,
    Tokyo,
}

/// Whom nobody may write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suppressed {
    Nobody,
    Recipient,
    /// The recipient may have asked for it.
    RecipientPerhaps,
    Owner,
    OwnerPerhaps,
    /// Both numbers, but not by SMS.
    OtherChannel,
    /// The reminders of the document's customer.
    Reminders,
    /// Those of another customer.
    OtherReminders,
}

/// The member of a group whom the message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    /// It goes to no group.
    Nobody,
    On,
    Off,
    Gone,
    /// The same row is another tenant's.
    Foreign,
}

/// The connection to Twilio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Ready,
    New,
    Broken,
    Missing,
    /// The same row is another tenant's.
    Foreign,
    /// Another row, as good.
    Replaced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    Never,
    /// Until now.
    Over,
    On,
    OtherChannel,
}

/// A number of the owner's: the one that is confirmed, or the one that a rehearsal bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    None,
    First,
    Second,
}

/// An equal message on its way, or one that is nearly equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flight {
    Clear,
    Equal,
    EqualOfStranger,
    /// Its lock is from before the credentials were accepted, or were changed.
    Elsewhere,
    ElsewhereOfStranger,
    ElsewhereOwn,
    ElsewhereToAnother,
    ElsewhereOtherText,
    /// In a scope that the tenant has nothing to do with any more.
    Beyond,
}

/// All that counts for one message.
#[expect(clippy::struct_excessive_bools, reason = "each is a clause")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World {
    pub(super) tells: Tells,
    /// A person has confirmed the paper as paid.
    pub(super) is_confirmed: bool,
    pub(super) is_rehearsal: bool,
    pub(super) is_to_contact: bool,
    pub(super) tries: u8,
    pub(super) is_stopped: bool,
    pub(super) is_suspended: bool,
    pub(super) in_rehearsal: bool,
    pub(super) hours: Hours,
    pub(super) zone: Zone,
    pub(super) suppressed: Suppressed,
    pub(super) member: Member,
    pub(super) link: Link,
    pub(super) is_accepted: bool,
    pub(super) pause: Pause,
    pub(super) has_sender: bool,
    /// Its time ends now.
    pub(super) is_expired: bool,
    pub(super) is_taken: bool,
    pub(super) paper: Paper,
    /// The number that the owner has confirmed, and the one that a rehearsal bears.
    pub(super) own: Number,
    pub(super) bears: Number,
    pub(super) flight: Flight,
}

/// One thing becomes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Stopped,
    Suspended,
    InRehearsal,
    Hours(Hours),
    Zone(Zone),
    Suppressed(Suppressed),
    Member(Member),
    Link(Link),
    Unaccepted,
    Pause(Pause),
    NoSender,
    Expired,
    Taken,
    Tried,
    Paper(Paper),
    Own(Number),
    Bears(Number),
    Flight(Flight),
}

impl Change {
    pub(super) const ALL: [Self; 53] = [
        Self::Stopped,
        Self::Suspended,
        Self::InRehearsal,
        Self::Hours(Hours::Any),
        Self::Hours(Hours::Day),
        Self::Hours(Hours::Night),
        Self::Zone(Zone::Lisbon),
        Self::Zone(Zone::Tokyo),
        Self::Suppressed(Suppressed::Recipient),
        Self::Suppressed(Suppressed::RecipientPerhaps),
        Self::Suppressed(Suppressed::Owner),
        Self::Suppressed(Suppressed::OwnerPerhaps),
        Self::Suppressed(Suppressed::OtherChannel),
        Self::Suppressed(Suppressed::Reminders),
        Self::Suppressed(Suppressed::OtherReminders),
        Self::Member(Member::Off),
        Self::Member(Member::Gone),
        Self::Member(Member::Foreign),
        Self::Link(Link::New),
        Self::Link(Link::Broken),
        Self::Link(Link::Missing),
        Self::Link(Link::Foreign),
        Self::Link(Link::Replaced),
        Self::Unaccepted,
        Self::Pause(Pause::Over),
        Self::Pause(Pause::On),
        Self::Pause(Pause::OtherChannel),
        Self::NoSender,
        Self::Expired,
        Self::Taken,
        Self::Tried,
        Self::Paper(Paper::Forgotten),
        Self::Paper(Paper::Named),
        Self::Paper(Paper::Foreign),
        Self::Paper(Paper::Paid),
        Self::Paper(Paper::Void),
        Self::Paper(Paper::Draft),
        Self::Paper(Paper::Moved),
        Self::Paper(Paper::Part),
        Self::Paper(Paper::Applied),
        Self::Paper(Paper::AppliedBefore),
        Self::Own(Number::None),
        Self::Own(Number::Second),
        Self::Bears(Number::None),
        Self::Bears(Number::Second),
        Self::Flight(Flight::Equal),
        Self::Flight(Flight::EqualOfStranger),
        Self::Flight(Flight::Elsewhere),
        Self::Flight(Flight::ElsewhereOfStranger),
        Self::Flight(Flight::ElsewhereOwn),
        Self::Flight(Flight::ElsewhereToAnother),
        Self::Flight(Flight::ElsewhereOtherText),
        Self::Flight(Flight::Beyond),
    ];
}

impl World {
    /// Nothing stands against it.
    const GOOD: Self = Self {
        tells: Tells::Overdue,
        is_confirmed: false,
        is_rehearsal: false,
        is_to_contact: true,
        tries: 0,
        is_stopped: false,
        is_suspended: false,
        in_rehearsal: false,
        hours: Hours::Any,
        zone: Zone::London,
        suppressed: Suppressed::Nobody,
        member: Member::Nobody,
        link: Link::Ready,
        is_accepted: true,
        pause: Pause::Never,
        has_sender: true,
        is_expired: false,
        is_taken: false,
        paper: Paper::Overdue,
        own: Number::First,
        bears: Number::First,
        flight: Flight::Clear,
    };

    /// Messages of every kind that the gate tells apart, each of which may go.
    pub(super) fn kinds() -> Vec<Self> {
        vec![
            Self {
                hours: Hours::Day,
                ..Self::GOOD
            },
            Self {
                is_confirmed: true,
                ..Self::GOOD
            },
            Self {
                tells: Tells::Created,
                ..Self::GOOD
            },
            Self {
                tells: Tells::Created,
                is_confirmed: true,
                tries: 1,
                ..Self::GOOD
            },
            Self {
                tells: Tells::Created,
                is_to_contact: false,
                own: Number::None,
                ..Self::GOOD
            },
            Self {
                is_to_contact: false,
                tries: 1,
                member: Member::On,
                ..Self::GOOD
            },
            Self {
                tells: Tells::Nothing,
                is_accepted: false,
                ..Self::GOOD
            },
            Self {
                is_rehearsal: true,
                in_rehearsal: true,
                ..Self::GOOD
            },
            Self {
                tells: Tells::Created,
                is_rehearsal: true,
                hours: Hours::Night,
                tries: 1,
                own: Number::Second,
                ..Self::GOOD
            },
        ]
    }

    pub(super) fn with(mut self, change: Change) -> Self {
        match change {
            Change::Stopped => self.is_stopped = true,
            Change::Suspended => self.is_suspended = true,
            Change::InRehearsal => self.in_rehearsal = true,
            Change::Hours(to) => self.hours = to,
            Change::Zone(to) => self.zone = to,
            Change::Suppressed(to) => self.suppressed = to,
            // A message that goes to no group never comes to.
            Change::Member(to) if self.member != Member::Nobody => self.member = to,
            Change::Member(_) => {}
            Change::Link(to) => self.link = to,
            Change::Unaccepted => self.is_accepted = false,
            Change::Pause(to) => self.pause = to,
            Change::NoSender => self.has_sender = false,
            Change::Expired => self.is_expired = true,
            Change::Taken => self.is_taken = true,
            Change::Tried => self.tries += 1,
            Change::Paper(to) => self.paper = to,
            Change::Own(to) => self.own = to,
            Change::Bears(to) => self.bears = to,
            Change::Flight(to) => self.flight = to,
        }
        // None is ever tried that bears no number.
        if self.is_for_nobody() {
            self.tries = 0;
        }
        self
    }

    /// Whether the message may go, in other words than the gate's.
    pub(super) fn lets_go(&self) -> bool {
        let is_open = match (self.hours, self.zone) {
            (Hours::Any, _) => true,
            (Hours::Day, zone) => zone != Zone::Tokyo,
            (Hours::Night, _) => false,
        };
        !self.is_barred()
            && self.is_paper_good()
            && (is_open || self.is_rehearsal || !self.is_to_contact)
            && (!self.is_rehearsal || self.tries > 0 || self.bears == self.own)
            && self.has_sender
    }

    /// Whether something stands against it that the claim itself reads, whatever was judged before.
    pub(super) fn is_barred(&self) -> bool {
        let is_usable = matches!(self.link, Link::Ready | Link::Replaced);
        self.is_stopped
            || self.is_suspended
            || (self.in_rehearsal && !self.is_rehearsal)
            || self.is_suppressed()
            || matches!(self.member, Member::Off | Member::Gone | Member::Foreign)
            || !is_usable
            || self.pause == Pause::On
            || self.is_expired
            || self.is_for_nobody()
    }

    fn is_for_nobody(&self) -> bool {
        self.is_rehearsal && self.bears == Number::None
    }

    fn is_suppressed(&self) -> bool {
        match self.suppressed {
            Suppressed::Nobody | Suppressed::OtherChannel | Suppressed::OtherReminders => false,
            Suppressed::Reminders => self.tells == Tells::Overdue,
            Suppressed::Recipient | Suppressed::RecipientPerhaps => true,
            Suppressed::Owner | Suppressed::OwnerPerhaps => {
                self.is_rehearsal && self.bears == Number::First
            }
        }
    }

    fn is_paper_good(&self) -> bool {
        match (self.tells, self.paper) {
            (Tells::Created, Paper::Draft) => self.is_confirmed || !self.is_to_contact,
            (Tells::Created, paper) => paper != Paper::Void,
            (Tells::Overdue, Paper::Paid) => self.is_confirmed,
            (Tells::Overdue, Paper::Part) => self.tries > 0,
            (Tells::Overdue, Paper::Void | Paper::Draft | Paper::Moved | Paper::Applied) => false,
            (Tells::Nothing | Tells::Overdue, _) => true,
        }
    }

    /// Whether a claim may be granted here of a message that was found fit to go in the world before.
    pub(super) fn grants(&self, before: &Self) -> bool {
        // The sender and the owner's number are those that were found; nobody asks for them once more.
        let found = Self {
            has_sender: before.has_sender,
            own: before.own,
            ..self.clone()
        };
        let is_same_paper = self.tells == Tells::Nothing
            || self.paper == before.paper
            || (self.paper.is_unknown() && before.paper.is_unknown());
        let is_same_number = !self.is_rehearsal || self.bears == before.bears;
        found.lets_go()
            && is_same_paper
            && is_same_number
            && (self.hours, self.zone) == (before.hours, before.zone)
            && (self.link, self.is_accepted) == (before.link, before.is_accepted)
            && self.tries == before.tries
            && !self.is_taken
            && !self.holds_up()
    }

    /// The same, but for what has become of a row: a new message has none yet.
    pub(super) fn as_new(&self, before: &Self) -> Self {
        Self {
            is_taken: false,
            is_expired: false,
            tries: before.tries,
            ..self.clone()
        }
    }

    fn holds_up(&self) -> bool {
        matches!(
            self.flight,
            Flight::Equal | Flight::EqualOfStranger | Flight::Elsewhere
        )
    }
}
