//! Countries from free text: `DE`, `DEU`, `U.S.A`, `Deutschland`, `Korea, Republic of`.
//!
//! Zoho's country field is a code in one organisation and free text in the next, so case, accents
//! and punctuation never count. An ambiguous name (`Virgin Islands`) is nobody's.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use iso_currency::Country;
use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest text that is looked up.
const MAX_CHARS: usize = 100;

/// A country with a telephone numbering plan: its two letters of ISO 3166 (and `XK`, Kosovo).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

/// A text that is no country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a country code; type two letters such as US, GB or IN")]
pub struct UnknownCountry;

impl CountryCode {
    /// Reads two letters in any case.
    pub fn parse(code: &str) -> Result<Self, UnknownCountry> {
        let code = code.trim();
        let letters: [u8; 2] = code.as_bytes().try_into().map_err(|_| UnknownCountry)?;
        let region = Region::from_code(code).map_err(|_| UnknownCountry)?;
        PHONE_NUMBER_UTIL
            .get_country_code_for_region(region)
            .ok_or(UnknownCountry)?;
        Ok(Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The two letters, upper case.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The English name; the code where there is none.
    pub fn name(self) -> String {
        Country::from_str(self.as_str())
            .map_or_else(|_| self.to_string(), |country| country.name().to_owned())
    }

    /// Every country that can be chosen, by code.
    pub fn all() -> Vec<Self> {
        let letters = b'A'..=b'Z';
        let codes = letters
            .clone()
            .flat_map(|first| letters.clone().map(move |then| [first, then]));
        codes
            .filter_map(|code| Self::parse(std::str::from_utf8(&code).ok()?).ok())
            .collect()
    }

    pub(super) fn region(self) -> Option<Region> {
        Region::from_code(self.as_str()).ok()
    }

    pub(super) fn from_region(region: Region) -> Option<Self> {
        Self::parse(region.as_region_str().as_str()).ok()
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CountryCode {
    type Err = UnknownCountry;

    fn from_str(code: &str) -> Result<Self, UnknownCountry> {
        Self::parse(code)
    }
}

impl Serialize for CountryCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CountryCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The country that a free text names, if it names exactly one.
pub fn country_from_text(text: &str) -> Option<CountryCode> {
    if text.len() > MAX_CHARS * 4 {
        return None;
    }
    let folded = fold(text);
    let bare = folded.strip_prefix("the").unwrap_or(&folded);
    NAMES
        .get(folded.as_str())
        .or_else(|| NAMES.get(bare))
        .or_else(|| NAMES.get(bare.strip_prefix("republicof")?))
        .copied()
        .or_else(|| CountryCode::parse(&folded).ok())
}

static NAMES: LazyLock<HashMap<String, CountryCode>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for (code, variants) in VARIANTS {
        let Ok(country) = CountryCode::parse(code) else {
            continue;
        };
        for variant in variants.split('|') {
            names.insert(fold(variant), country);
        }
    }
    for pair in ALPHA_3.split_whitespace() {
        let (three, two) = pair.split_at(3);
        if let Ok(country) = CountryCode::parse(two) {
            names.entry(fold(three)).or_insert(country);
        }
    }
    for country in CountryCode::all() {
        let name = country.name();
        names.entry(fold(&name)).or_insert(country);
        // "Iran (Islamic Republic of)" is also "Iran"; these four would be ambiguous.
        if !matches!(country.as_str(), "KP" | "CD" | "VG" | "VI")
            && let Some((short, _)) = name.split_once(['(', ','])
        {
            names.entry(fold(short)).or_insert(country);
        }
    }
    names
});

/// Letters and digits only, lower case, without accents; `&` reads as "and".
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'à'..='å' | 'ā' | 'ă' | 'ą' | 'ạ' | 'ả' => folded.push('a'),
            'æ' => folded.push_str("ae"),
            'ç' | 'ć' | 'č' => folded.push('c'),
            'ď' | 'đ' | 'ð' => folded.push('d'),
            'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'ế' | 'ệ' => folded.push('e'),
            'ğ' => folded.push('g'),
            'ì'..='ï' | 'ī' | 'ı' => folded.push('i'),
            'ł' => folded.push('l'),
            'ñ' | 'ń' | 'ň' => folded.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ő' => folded.push('o'),
            'œ' => folded.push_str("oe"),
            'ř' => folded.push('r'),
            'ś' | 'ş' | 'š' | 'ș' => folded.push('s'),
            'ß' => folded.push_str("ss"),
            'ţ' | 'ť' | 'ț' => folded.push('t'),
            'ù'..='ü' | 'ū' | 'ů' | 'ű' => folded.push('u'),
            'ý' | 'ÿ' => folded.push('y'),
            'ź' | 'ż' | 'ž' => folded.push('z'),
            '&' => folded.push_str("and"),
            letter if letter.is_alphanumeric() => folded.push(letter),
            _ => {}
        }
    }
    folded
}

/// What people type beside the ISO names.
const VARIANTS: &[(&str, &str)] = &[
    (
        "AE",
        "UAE|Emirates|United Arab Emirate|Dubai|Abu Dhabi|الإمارات|الإمارات العربية المتحدة",
    ),
    ("AL", "Shqipëria"),
    ("AT", "Österreich|Oesterreich|Autriche"),
    ("AU", "Commonwealth of Australia"),
    ("AZ", "Azərbaycan"),
    ("BA", "Bosnia|Bosnia-Hercegovina|Bosna i Hercegovina"),
    ("BE", "België|Belgique|Belgien"),
    ("BN", "Brunei"),
    ("BO", "Bolivia"),
    ("BR", "Brasil|Brésil"),
    ("BS", "The Bahamas"),
    (
        "CD",
        "DR Congo|DRC|Democratic Republic of the Congo|Democratic Republic of Congo|Congo Kinshasa|Zaire",
    ),
    ("CG", "Republic of the Congo|Congo Brazzaville"),
    ("CH", "Schweiz|Suisse|Svizzera|Swiss|Swiss Confederation"),
    ("CI", "Ivory Coast|Cote d Ivoire"),
    (
        "CN",
        "PRC|PR China|P.R. China|People's Republic of China|Mainland China|中国",
    ),
    ("CV", "Cape Verde"),
    ("CW", "Curacao"),
    ("CZ", "Czechia|Česko|Česká republika"),
    (
        "DE",
        "Deutschland|Allemagne|Alemania|Federal Republic of Germany|BRD",
    ),
    ("DK", "Danmark"),
    ("DZ", "Algérie"),
    ("EE", "Eesti"),
    ("EG", "Arab Republic of Egypt|مصر"),
    ("ES", "España|Espagne|Spanien"),
    ("FI", "Suomi"),
    ("FK", "Falkland Islands Malvinas|Malvinas"),
    ("FM", "Federated States of Micronesia"),
    ("FR", "République française|Frankreich|Metropolitan France"),
    (
        "GB",
        "UK|United Kingdom|Great Britain|Britain|England|Scotland|Wales|Northern Ireland|United Kingdom (UK)|Royaume-Uni|Vereinigtes Königreich",
    ),
    ("GM", "The Gambia"),
    ("GR", "EL|Hellas|Hellenic Republic|Ελλάδα"),
    ("HK", "Hong Kong SAR|Hong Kong SAR China|香港"),
    ("HR", "Hrvatska"),
    ("HU", "Magyarország"),
    ("ID", "Republik Indonesia"),
    ("IE", "Éire|Eire|Republic of Ireland|Irish Republic"),
    ("IN", "Bharat|भारत"),
    ("IR", "Islamic Republic of Iran"),
    ("IS", "Ísland"),
    ("IT", "Italia|Italie|Italien"),
    ("JP", "Nippon|Nihon|日本"),
    ("KE", "Republic of Kenya"),
    ("KG", "Kyrgyz Republic"),
    ("KP", "North Korea|DPRK"),
    (
        "KR",
        "Korea|South Korea|Republic of Korea|ROK|한국|대한민국",
    ),
    ("LA", "Laos"),
    ("LK", "Ceylon"),
    ("LT", "Lietuva"),
    ("LV", "Latvija"),
    ("MA", "Maroc"),
    ("MD", "Moldavia"),
    ("ME", "Crna Gora"),
    ("MK", "North Macedonia|Republic of North Macedonia|FYROM"),
    ("MM", "Burma"),
    ("MO", "Macau|Macao SAR|Macao SAR China"),
    ("MX", "México|Méjico|Estados Unidos Mexicanos"),
    ("MY", "West Malaysia"),
    (
        "NL",
        "Holland|Nederland|The Netherlands|Pays-Bas|Niederlande",
    ),
    ("NO", "Norge|Noreg"),
    ("NZ", "Aotearoa|N.Z."),
    ("OM", "Sultanate of Oman"),
    ("PE", "Perú"),
    ("PF", "Polynésie française"),
    ("PH", "Philippine|Pilipinas|Republic of the Philippines"),
    ("PL", "Polska"),
    ("PR", "P.R.|Commonwealth of Puerto Rico"),
    (
        "PS",
        "Palestine|Palestinian Territory|Palestinian Territories|State of Palestine",
    ),
    ("QA", "State of Qatar"),
    ("RE", "La Réunion"),
    ("RO", "România"),
    ("RS", "Srbija"),
    ("RU", "Russia|Россия"),
    ("SA", "KSA|Kingdom of Saudi Arabia|Saudi|السعودية"),
    ("SE", "Sverige|Schweden"),
    ("SH", "Saint Helena|St Helena"),
    ("SI", "Slovenija"),
    ("SK", "Slovak Republic|Slovensko"),
    ("ST", "Sao Tome"),
    ("SX", "Sint Maarten"),
    ("SY", "Syria"),
    ("SZ", "Eswatini"),
    ("TL", "East Timor"),
    ("TN", "Tunisie"),
    ("TR", "Türkiye|Republic of Türkiye|Republic of Turkey"),
    ("TT", "Trinidad|Trinidad & Tobago"),
    ("TW", "Taiwan|Taiwan ROC|Republic of China|台灣"),
    ("TZ", "Tanzania|United Republic of Tanzania"),
    ("UA", "Україна|The Ukraine"),
    (
        "US",
        "USA|U.S.A.|U.S.|United States|United State|America|States|The States|United States (US)|United States of America (USA)|Estados Unidos|EE.UU.|États-Unis|Vereinigte Staaten",
    ),
    ("VA", "Vatican|Vatican City|Vatican City State"),
    ("VC", "St Vincent and the Grenadines|Saint Vincent"),
    ("VE", "Venezuela"),
    ("VG", "British Virgin Islands|BVI"),
    (
        "VI",
        "US Virgin Islands|USVI|United States Virgin Islands|Virgin Islands of the United States",
    ),
    ("VN", "Vietnam|Việt Nam"),
    ("WS", "Western Samoa"),
    ("XK", "Kosovo|Kosova"),
    ("ZA", "RSA|Republic of South Africa|Suid-Afrika"),
    ("KN", "St Kitts and Nevis|Saint Kitts"),
    ("LC", "St Lucia"),
];

/// Three letters of ISO 3166-1, each followed by its two.
const ALPHA_3: &str = "\
    ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG AUSAU \
    AUTAT AZEAZ BDIBI BELBE BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL BLRBY BLZBZ \
    BMUBM BOLBO BRABR BRBBB BRNBN BTNBT BVTBV BWABW CAFCF CANCA CCKCC CHECH CHLCL CHNCN CIVCI \
    CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX CYMKY CYPCY CZECZ DEUDE \
    DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES ESTEE ETHET FINFI FJIFJ FLKFK \
    FRAFR FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR \
    GRDGD GRLGL GTMGT GUFGF GUMGU GUYGY HKGHK HMDHM HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN \
    IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL ITAIT JAMJM JEYJE JORJO JPNJP KAZKZ KENKE KGZKG KHMKH \
    KIRKI KNAKN KORKR KWTKW LAOLA LBNLB LBRLR LBYLY LCALC LIELI LKALK LSOLS LTULT LUXLU LVALV \
    MACMO MAFMF MARMA MCOMC MDAMD MDGMG MDVMV MEXMX MHLMH MKDMK MLIML MLTMT MMRMM MNEME MNGMN \
    MNPMP MOZMZ MRTMR MSRMS MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE NFKNF NGANG NICNI \
    NIUNU NLDNL NORNO NPLNP NRUNR NZLNZ OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL \
    PRIPR PRKKP PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU RWARW SAUSA SDNSD SENSN SGPSG \
    SGSGS SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK SVNSI \
    SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO TTOTT \
    TUNTN TURTR TUVTV TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC VENVE VGBVG \
    VIRVI VNMVN VUTVU WLFWF WSMWS YEMYE ZAFZA ZMBZM ZWEZW";

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<String> {
        country_from_text(text).map(|country| country.to_string())
    }

    #[test]
    fn countries_are_found_however_they_are_typed() {
        for (text, expected) in [
            ("US", "US"),
            ("us", "US"),
            ("U.S.A", "US"),
            ("U.S.A.", "US"),
            ("united  states", "US"),
            ("U.K.", "GB"),
            ("United Kingdom", "GB"),
            ("Deutschland", "DE"),
            ("DEU", "DE"),
            (" India ", "IN"),
            ("UAE", "AE"),
            ("The Netherlands", "NL"),
            ("Cote d'Ivoire", "CI"),
            ("CÔTE D’IVOIRE", "CI"),
            ("Korea, Republic of", "KR"),
            ("Iran", "IR"),
            ("Türkiye", "TR"),
            ("Republic of India", "IN"),
            ("Trinidad & Tobago", "TT"),
            ("Việt Nam", "VN"),
            ("Kosovo", "XK"),
            ("Nigeria", "NG"),
        ] {
            assert_eq!(code(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_country_or_several_is_nobodys() {
        for text in [
            "",
            " ",
            "—",
            "Atlantis",
            "Virgin Islands",
            "QQ",
            "12",
            "Bavaria",
        ] {
            assert_eq!(code(text), None, "{text}");
        }
        assert_eq!(code(&"x".repeat(100_000)), None);
    }

    #[test]
    fn every_country_is_found_by_its_own_name_and_code() {
        assert!(CountryCode::all().len() > 230);
        for country in CountryCode::all() {
            assert_eq!(country_from_text(country.as_str()), Some(country));
            assert_eq!(
                country_from_text(&country.name()),
                Some(country),
                "{}",
                country.name()
            );
        }
    }
}
