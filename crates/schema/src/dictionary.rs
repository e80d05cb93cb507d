//! The dictionary of a release: what each file, column and word in it means, in English and French.

use crate::{
    columns::{Column, Kind, ReleaseFile},
    place::Level,
    release::{Period, Report, Status},
};

/// The same, said in two languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// In English.
    pub en: &'static str,
    /// In French.
    pub fr: &'static str,
}

/// A value of a column whose values are few and fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// As it stands in the file.
    pub word: &'static str,
    /// What it means.
    pub meaning: Said,
}

/// What no reader of a release may do, whatever the report.
pub const WARNINGS: [Said; 5] = [
    Said {
        en: "Never add visitors up, over places, periods or days: one person counts in every place and \
             every hour \
             visited. The number for a larger place or a longer period has a row of its own.",
        fr: "Ne jamais additionner des visiteurs, ni entre lieux, ni entre périodes, ni entre jours : une \
             même \
             personne compte dans chaque lieu et dans chaque heure où elle est passée. Le nombre du lieu plus grand \
             ou de la période plus longue figure sur sa propre ligne.",
    },
    Said {
        en: "Never read `withheld` as zero. A withheld number may be none, a few, or many withheld to \
             protect a \
             neighbour; a sum or mean over rows some of which are withheld is too low.",
        fr: "Ne jamais lire `withheld` comme un zéro. Un nombre masqué par le secret statistique peut \
             valoir zéro, \
             quelques unités, ou être grand et masqué pour protéger un voisin ; une somme ou une moyenne sur des \
             lignes dont certaines sont masquées est trop basse.",
    },
    Said {
        en: "Never read `no_coverage` as empty: no antenna serves the place, so nobody could be seen there.",
        fr: "Ne jamais lire `no_coverage` comme un lieu vide : aucune antenne ne dessert le lieu, donc \
             personne ne \
             pouvait y être observé.",
    },
    Said {
        en: "Do not mix levels: each `level` repeats the people of the one below. Choose one level before \
             anything else.",
        fr: "Ne pas mélanger les niveaux : chaque niveau (`level`) répète les personnes du niveau \
             inférieur. Choisir \
             un seul niveau avant tout autre calcul.",
    },
    Said {
        en: "Keep codes as text: postal codes, NIS codes and classes such as `2-3` are no numbers and no \
             dates. A \
             spreadsheet that opens a CSV turns them into such unless the columns are imported as text.",
        fr: "Garder les codes en texte : code postal, code INS et classes telles que `2-3` ne sont ni des \
             nombres ni \
             des dates. Un tableur qui ouvre un CSV les convertit, sauf si les colonnes sont importées comme texte.",
    },
];

const NONE: Said = Said { en: "", fr: "" };
const PEOPLE: Said = Said { en: "people", fr: "personnes" };
const LOCAL_TIME: Said = Said { en: "local time", fr: "heure locale" };

const fn value(word: &'static str, en: &'static str, fr: &'static str) -> Value {
    Value { word, meaning: Said { en, fr } }
}

/// A column of text that every row has.
const fn text(name: &'static str, en: &'static str, fr: &'static str) -> Column {
    Column { name, kind: Kind::Text, nullable: false, unit: NONE, meaning: Said { en, fr }, values: &[] }
}

const fn time(name: &'static str, en: &'static str, fr: &'static str) -> Column {
    Column { kind: Kind::Time, unit: LOCAL_TIME, ..text(name, en, fr) }
}

/// A column of words that are few and fixed.
const fn words(name: &'static str, values: &'static [Value], en: &'static str, fr: &'static str) -> Column {
    Column { values, ..text(name, en, fr) }
}

/// A column of numbers that a row may lack.
const fn number(name: &'static str, unit: Said, en: &'static str, fr: &'static str) -> Column {
    Column { kind: Kind::Number, nullable: true, unit, ..text(name, en, fr) }
}

const fn perhaps(column: Column) -> Column {
    Column { nullable: true, ..column }
}

/// The levels of places.
pub const LEVELS: [Value; 5] = [
    value(
        Level::Country.as_str(),
        "country, by its ISO 3166-1 code of two letters",
        "pays, par son code ISO 3166-1 à deux lettres",
    ),
    value(
        Level::Region.as_str(),
        "region (in Belgium: Flanders, Wallonia, Brussels)",
        "région (en Belgique : Flandre, Wallonie, Bruxelles)",
    ),
    value(
        Level::Province.as_str(),
        "province; Brussels, which has none, stands as its own",
        "province ; Bruxelles, qui n'en a pas, tient lieu de province",
    ),
    value(
        Level::Commune.as_str(),
        "commune (municipality), in Belgium by its NIS code",
        "commune, en Belgique par son code INS",
    ),
    value(
        Level::PostalCode.as_str(),
        "postal code, the finest place that is ever published",
        "code postal, le lieu le plus fin jamais publié",
    ),
];

/// What a reader may know of a number.
pub const STATUSES: [Value; 3] = [
    value(
        Status::Published.as_str(),
        "the number is there, and at least k devices stand behind it",
        "le nombre est publié, et au moins k appareils se trouvent derrière lui",
    ),
    value(
        Status::Withheld.as_str(),
        "too few, withheld to protect others, or nobody: which of them is not told, and the number is null",
        "trop peu, masqué pour protéger d'autres nombres, ou personne : lequel des trois n'est pas dit (secret \
         statistique), et le nombre est vide",
    ),
    value(
        Status::NoCoverage.as_str(),
        "no cell of the plan serves the place, so nobody could be seen there",
        "aucune cellule du plan ne dessert le lieu : personne ne pouvait y être observé",
    ),
];

const HOUR: Value =
    value(Period::Hour.as_str(), "an hour of the local clock", "une heure de l'horloge locale");
const DAY: Value = value(
    Period::Day.as_str(),
    "a local day, from midnight to midnight (23 or 25 hours when clocks change)",
    "un jour local, de minuit à minuit (23 ou 25 heures au changement d'heure)",
);
const WINDOW: Value = value(
    Period::Window.as_str(),
    "all days of the release together",
    "l'ensemble des jours de la publication",
);

/// How long a period is.
pub const PERIODS: [Value; 3] = [HOUR, DAY, WINDOW];

/// The classes of time spent in a place on a local day; the lower bound belongs to the class.
pub const DWELL: [Value; 7] = [
    value("0-15min", "less than 15 minutes", "moins de 15 minutes"),
    value("15-30min", "from 15 to less than 30 minutes", "de 15 à moins de 30 minutes"),
    value("30-60min", "from 30 to less than 60 minutes", "de 30 à moins de 60 minutes"),
    value("1-2h", "from 1 to less than 2 hours", "de 1 à moins de 2 heures"),
    value("2-4h", "from 2 to less than 4 hours", "de 2 à moins de 4 heures"),
    value("4-8h", "from 4 to less than 8 hours", "de 4 à moins de 8 heures"),
    value("8h+", "8 hours and over", "8 heures et plus"),
];

/// The classes of the number of days on which a visitor came.
pub const DAYS: [Value; 6] = [
    value(
        "all",
        "all visitors of the window, whatever their days",
        "tous les visiteurs de la fenêtre, quel que soit leur nombre de jours",
    ),
    value("1", "came on one day", "venus un seul jour"),
    value("2-3", "came on 2 or 3 days", "venus 2 ou 3 jours"),
    value("4-7", "came on 4 to 7 days", "venus de 4 à 7 jours"),
    value("8-14", "came on 8 to 14 days", "venus de 8 à 14 jours"),
    value("15+", "came on 15 days or more", "venus 15 jours ou plus"),
];

/// The levels of residence.
pub const RESIDENCE_LEVELS: [Value; 6] = [
    value(
        "all",
        "everybody, wherever they live: the place's own number",
        "toutes les personnes, où qu'elles résident : le nombre du lieu lui-même",
    ),
    value(
        Level::Country.as_str(),
        "country of residence; for roamers that of the home network",
        "pays de résidence ; pour un itinérant, celui du réseau d'origine",
    ),
    value(Level::Region.as_str(), "region of residence", "région de résidence"),
    value(Level::Province.as_str(), "province of residence", "province de résidence"),
    value(Level::Commune.as_str(), "commune of residence", "commune de résidence"),
    value(
        "other",
        "whatever is withheld, together; always withheld, and perhaps nobody",
        "tout ce qui est masqué, ensemble ; toujours masqué, et peut-être personne",
    ),
];

/// What is counted by residence.
pub const RESIDENCE_MEASURES: [Value; 2] = [
    value(
        "presence",
        "people in the place at the moment at which the hour begins (period `hour`)",
        "personnes présentes dans le lieu à l'instant où l'heure commence (période `hour`)",
    ),
    value(
        "visitors",
        "distinct people with a stay in the place during the day (period `day`)",
        "personnes distinctes ayant séjourné dans le lieu pendant le jour (période `day`)",
    ),
];

/// The levels on either side of a flow.
pub const ORIGIN_LEVELS: [Value; 6] = [
    value("all", "any origin: the total of the destination", "toute origine : le total de la destination"),
    LEVELS[0],
    LEVELS[1],
    LEVELS[2],
    LEVELS[3],
    LEVELS[4],
];

/// The levels of a destination.
pub const DESTINATION_LEVELS: [Value; 7] = [
    value("all", "any destination: the total of the origin", "toute destination : le total de l'origine"),
    LEVELS[0],
    LEVELS[1],
    LEVELS[2],
    LEVELS[3],
    LEVELS[4],
    value(
        "other",
        "whatever is withheld from this origin, together; always withheld, and perhaps nothing",
        "tout ce qui est masqué depuis cette origine, ensemble ; toujours masqué, et peut-être rien",
    ),
];

/// What is counted of an occasion.
pub const OCCASION_MEASURES: [Value; 7] = [
    value(
        "presence",
        "people in the area at the instant `at`, each step of the window",
        "personnes présentes dans la zone à l'instant `at`, à chaque pas de la fenêtre",
    ),
    value(
        "typical",
        "what presence is usually at that time: the mean, rounded, over the same weekdays before, within \
         the release's window",
        "la présence habituelle à cette heure : moyenne arrondie sur les mêmes jours de la semaine \
         précédents, dans la fenêtre de la publication",
    ),
    value(
        "visitors",
        "distinct people with a stay in the area during the window; `at` is its start",
        "personnes distinctes ayant séjourné dans la zone pendant la fenêtre ; `at` en est le début",
    ),
    value(
        "arrivals",
        "people for whom a stay in the area begins in the step that begins at `at`",
        "personnes dont un séjour dans la zone commence pendant le pas qui débute à `at`",
    ),
    value(
        "departures",
        "people for whom a stay in the area ends in the step that begins at `at`",
        "personnes dont un séjour dans la zone s'achève pendant le pas qui débute à `at`",
    ),
    value(
        "residence",
        "the visitors by where they live; `class_level` and `class` as in the report residence",
        "les visiteurs selon leur lieu de résidence ; `class_level` et `class` comme dans le rapport \
         residence",
    ),
    value(
        "dwell",
        "the visitors by the time spent in the area during the window; `class` as in the report dwell",
        "les visiteurs selon le temps passé dans la zone pendant la fenêtre ; `class` comme dans le rapport \
         dwell",
    ),
];

const INSTANT: Column = time(
    "instant",
    "the moment at which people are counted: each step (usually a quarter of an hour) from local midnight",
    "l'instant du comptage : chaque pas (en général un quart d'heure) depuis minuit, heure locale",
);
const PERIOD_START: Column =
    time("period_start", "the moment at which the period begins", "l'instant où commence la période");
const LEVEL: Column = words("level", &LEVELS, "how coarse the place is", "le niveau géographique du lieu");
const PLACE: Column = text(
    "place",
    "the code of the place, unique within its level; names are in `places.parquet`",
    "le code du lieu, unique dans son niveau ; les noms sont dans `places.parquet`",
);
const STATUS: Column =
    words("status", &STATUSES, "what may be read into the number", "ce que l'on peut lire dans le nombre");

const fn period(values: &'static [Value]) -> Column {
    words("period", values, "how long the period is", "la durée de la période")
}

/// The number of a report. People are devices times an expansion factor, rounded.
const fn people(en: &'static str, fr: &'static str) -> Column {
    Column { kind: Kind::Whole, unit: PEOPLE, nullable: true, ..text("people", en, fr) }
}

const PRESENCE: [Column; 5] = [
    INSTANT,
    LEVEL,
    PLACE,
    people(
        "people in the place at the instant; null unless published",
        "personnes présentes dans le lieu à l'instant donné ; vide si le nombre n'est pas publié",
    ),
    STATUS,
];

const VISITORS: [Column; 6] = [
    PERIOD_START,
    period(&[HOUR, DAY]),
    LEVEL,
    PLACE,
    people(
        "distinct people with a stay in the place during the period; null unless published. Never add them \
         up",
        "personnes distinctes ayant séjourné dans le lieu pendant la période ; vide si le nombre n'est pas \
         publié. \
         Ne jamais additionner",
    ),
    STATUS,
];

const RESIDENCE: [Column; 10] = [
    words("measure", &RESIDENCE_MEASURES, "what is counted", "ce qui est compté"),
    PERIOD_START,
    period(&[HOUR, DAY]),
    LEVEL,
    PLACE,
    words(
        "residence_level",
        &RESIDENCE_LEVELS,
        "how coarse the residence is",
        "le niveau du lieu de résidence",
    ),
    text(
        "residence",
        "where the people live: a code of that level, a country's ISO 3166-1 code (`ZZ` if not known), \
         `all` or `other`",
        "où résident les personnes : un code de ce niveau, le code ISO 3166-1 d'un pays (`ZZ` s'il est \
         inconnu), \
         `all` ou `other`",
    ),
    Column {
        kind: Kind::Truth,
        ..text(
            "finest",
            "true where no finer residence within this one is published at that place and time: the rows to \
             take for \
             a breakdown in which nobody stands twice",
            "vrai si aucune résidence plus fine, à l'intérieur de celle-ci, n'est publiée pour ce lieu et \
             ce moment : \
             les lignes à retenir pour une ventilation où personne ne figure deux fois",
        )
    },
    people(
        "people of that residence; null unless published",
        "personnes ayant cette résidence ; vide si le nombre n'est pas publié",
    ),
    STATUS,
];

const DWELL_COLUMNS: [Column; 7] = [
    PERIOD_START,
    period(&[DAY]),
    LEVEL,
    PLACE,
    words(
        "dwell",
        &DWELL,
        "the time spent in the place on that day, all stays added",
        "le temps passé dans le lieu ce jour-là, tous séjours additionnés",
    ),
    people(
        "the day's visitors who spent so long; null unless published",
        "visiteurs du jour restés aussi longtemps ; vide si le nombre n'est pas publié",
    ),
    STATUS,
];

const FREQUENCY: [Column; 7] = [
    PERIOD_START,
    period(&[WINDOW]),
    LEVEL,
    PLACE,
    words("days", &DAYS, "the number of days on which they came", "le nombre de jours où ils sont venus"),
    people(
        "the window's visitors who came so often; null unless published",
        "visiteurs de la fenêtre venus aussi souvent ; vide si le nombre n'est pas publié",
    ),
    STATUS,
];

const FLOWS: [Column; 8] = [
    PERIOD_START,
    period(&[HOUR, DAY]),
    words("level", &ORIGIN_LEVELS, "how coarse the origin is", "le niveau géographique de l'origine"),
    text("place", "the code of the origin, or `all`", "le code de l'origine, ou `all`"),
    words(
        "destination_level",
        &DESTINATION_LEVELS,
        "how coarse the destination is",
        "le niveau géographique de la destination",
    ),
    text(
        "destination",
        "the code of the destination, `all` or `other`",
        "le code de la destination, `all` ou `other`",
    ),
    Column {
        unit: Said { en: "trips of people", fr: "déplacements de personnes" },
        ..people(
            "trips from the origin to the destination that end in the period, at most one a person and \
             hour; null \
             unless published",
            "déplacements de l'origine à la destination qui s'achèvent pendant la période, au plus un par \
             personne et \
             par heure ; vide si le nombre n'est pas publié",
        )
    },
    STATUS,
];

const OCCASIONS: [Column; 7] = [
    text(
        "occasion",
        "the code of the occasion; its name, window and area are in `occasions.parquet`",
        "le code de la manifestation ; son nom, sa fenêtre et sa zone sont dans `occasions.parquet`",
    ),
    words("measure", &OCCASION_MEASURES, "what is counted", "ce qui est compté"),
    time(
        "at",
        "the instant, or the moment at which the step or window begins",
        "l'instant, ou le début du pas ou de la fenêtre",
    ),
    text(
        "class_level",
        "of the measure residence its level, of dwell `dwell`, of all others `all`",
        "pour la mesure residence son niveau, pour dwell `dwell`, pour les autres `all`",
    ),
    text(
        "class",
        "the residence or the class of dwell, `all` where there is none",
        "la résidence ou la classe de durée, `all` s'il n'y en a pas",
    ),
    people(
        "people of that measure and class; null unless published",
        "personnes pour cette mesure et cette classe ; vide si le nombre n'est pas publié",
    ),
    STATUS,
];

const PER_1000: Said = Said { en: "people per 1,000 residents", fr: "personnes pour 1 000 habitants" };
const PER_KM2: Said = Said { en: "people per km²", fr: "personnes par km²" };

const CONTEXT: [Column; 13] = [
    PERIOD_START,
    period(&[DAY]),
    LEVEL,
    PLACE,
    Column {
        name: "visitors",
        ..people(
            "the day's published visitors; null otherwise. Never add them up",
            "visiteurs publiés du jour, sinon vide. Ne jamais additionner",
        )
    },
    number(
        "presence",
        PEOPLE,
        "the mean of published presence over all instants of the day; null if any of them is not published",
        "moyenne de la présence publiée sur tous les instants du jour ; vide si l'un d'eux n'est pas publié",
    ),
    number(
        "population",
        Said { en: "residents", fr: "habitants" },
        "residents, from the operator's census table; null if it has none",
        "habitants, d'après la table de recensement fournie ; vide si elle n'en donne pas",
    ),
    number(
        "area_km2",
        Said { en: "km²", fr: "km²" },
        "area, from the operator's census table; null if it has none",
        "superficie, d'après la table de recensement fournie ; vide si elle n'en donne pas",
    ),
    number(
        "visitors_per_1000",
        PER_1000,
        "visitors for each 1,000 residents; null if either is missing or there is no resident",
        "visiteurs pour 1 000 habitants ; vide si l'un des deux manque ou s'il n'y a aucun habitant",
    ),
    number(
        "visitors_per_km2",
        PER_KM2,
        "visitors for each square kilometre; null if either is missing or the area is zero",
        "visiteurs par kilomètre carré ; vide si l'un des deux manque ou si la superficie est nulle",
    ),
    number(
        "presence_per_1000",
        PER_1000,
        "mean presence for each 1,000 residents; null as above",
        "présence moyenne pour 1 000 habitants ; vide dans les mêmes cas",
    ),
    number(
        "presence_per_km2",
        PER_KM2,
        "mean presence for each square kilometre; null as above",
        "présence moyenne par kilomètre carré ; vide dans les mêmes cas",
    ),
    Column {
        meaning: Said {
            en: "`published` if visitors or presence is there, otherwise the status of the day's visitors",
            fr: "`published` si les visiteurs ou la présence sont donnés, sinon le statut des visiteurs du \
                 jour",
        },
        ..STATUS
    },
];

const PLACES: [Column; 6] = [
    LEVEL,
    text(
        "place",
        "the code of the place, unique within its level",
        "le code du lieu, unique dans son niveau",
    ),
    perhaps(text(
        "parent",
        "the code of the place one level up; null for a country",
        "le code du lieu du niveau supérieur ; vide pour un pays",
    )),
    perhaps(text("name_fr", "its name in French", "son nom en français")),
    perhaps(text("name_nl", "its name in Dutch", "son nom en néerlandais")),
    perhaps(text("name_de", "its name in German", "son nom en allemand")),
];

const OCCASION_AREAS: [Column; 7] = [
    text("occasion", "the code of the occasion", "le code de la manifestation"),
    text("name", "what people call it", "son nom usuel"),
    time("start", "the first moment of its window", "le premier instant de sa fenêtre"),
    time("end", "the first moment after its window", "le premier instant après sa fenêtre"),
    text(
        "postal_code",
        "a postal code of which the area holds a part or the whole",
        "un code postal dont la zone contient une partie ou la totalité",
    ),
    Column {
        kind: Kind::Small,
        ..text(
            "part",
            "which part of the postal code lies in the area, of the parts into which the areas of all \
             occasions divide it",
            "laquelle des parties du code postal se trouve dans la zone, parmi celles que découpent les \
             zones de toutes les manifestations",
        )
    },
    Column {
        kind: Kind::Small,
        ..text(
            "parts",
            "into how many parts the postal code is divided; 1 if it is whole",
            "en combien de parties le code postal est découpé ; 1 s'il est entier",
        )
    },
];

pub(crate) fn columns(file: ReleaseFile) -> &'static [Column] {
    match file {
        ReleaseFile::Report(Report::Presence) => &PRESENCE,
        ReleaseFile::Report(Report::Visitors) => &VISITORS,
        ReleaseFile::Report(Report::Residence) => &RESIDENCE,
        ReleaseFile::Report(Report::Dwell) => &DWELL_COLUMNS,
        ReleaseFile::Report(Report::Frequency) => &FREQUENCY,
        ReleaseFile::Report(Report::Flows) => &FLOWS,
        ReleaseFile::Report(Report::Occasions) => &OCCASIONS,
        ReleaseFile::Report(Report::Context) => &CONTEXT,
        ReleaseFile::Places => &PLACES,
        ReleaseFile::OccasionAreas => &OCCASION_AREAS,
    }
}

pub(crate) fn meaning(file: ReleaseFile) -> Said {
    match file {
        ReleaseFile::Report(Report::Presence) => Said {
            en: "How many people were in a place at a moment. Every place has a row at every instant. \
                 Presence adds \
                 up: postal codes to their commune, communes to their province, and so on (up to rounding where an \
                 expansion is applied). Over time, take means; a sum over instants means nothing.",
            fr: "Combien de personnes se trouvaient dans un lieu à un instant donné. Chaque lieu a une \
                 ligne à chaque \
                 instant. La présence s'additionne : les codes postaux donnent leur commune, les communes leur \
                 province, et ainsi de suite (aux arrondis près si un redressement est appliqué). Dans le temps, \
                 prendre des moyennes ; une somme d'instants n'a pas de sens.",
        },
        ReleaseFile::Report(Report::Visitors) => Said {
            en: "How many distinct people had a stay in a place during an hour or a day. Every place has a \
                 row for \
                 every hour and every day. Visitors never add up: who crosses three communes is a visitor of each, and \
                 one visitor of their province.",
            fr: "Combien de personnes distinctes ont séjourné dans un lieu pendant une heure ou un jour. \
                 Chaque lieu a \
                 une ligne pour chaque heure et chaque jour. Les visiteurs ne s'additionnent jamais : qui traverse \
                 trois communes est visiteur de chacune, et un seul visiteur de leur province.",
        },
        ReleaseFile::Report(Report::Residence) => Said {
            en: "Presence at each full hour, and the day's visitors, by where the people live. The row \
                 `all` stands \
                 for every place at every time; below it only published residences have rows, and one row `other` \
                 stands for whatever is withheld. For a breakdown take the rows with `finest`, and remember that \
                 `other` is missing from their sum. Visitors by residence add up over residences, never over places.",
            fr: "La présence à chaque heure pleine, et les visiteurs du jour, selon le lieu de résidence. \
                 La ligne \
                 `all` existe pour chaque lieu à chaque moment ; en dessous, seules les résidences publiées ont une \
                 ligne, et une ligne `other` représente tout ce que masque le secret statistique. Pour une \
                 ventilation, retenir les lignes `finest`, et se rappeler que `other` manque à leur somme. Les \
                 visiteurs s'additionnent entre résidences, jamais entre lieux.",
        },
        ReleaseFile::Report(Report::Dwell) => Said {
            en: "The day's visitors of a place by the time that each spent there, all stays of the day \
                 added. Every \
                 place has all seven rows. The classes of one place add up to its visitors of the day, those withheld \
                 included; places and days do not add up.",
            fr: "Les visiteurs du jour d'un lieu selon le temps que chacun y a passé, tous les séjours du \
                 jour \
                 additionnés. Chaque lieu a ses sept lignes. Les classes d'un même lieu donnent ensemble ses visiteurs \
                 du jour, classes masquées comprises ; les lieux et les jours ne s'additionnent pas.",
        },
        ReleaseFile::Report(Report::Frequency) => Said {
            en: "The visitors of the whole window, by the number of days on which each came: one file for \
                 the \
                 release. Every place has all six rows. The classes of one place add up to `all`, those withheld \
                 included; places do not add up. A longer window moves people to higher classes: compare windows of \
                 one length only.",
            fr: "Les visiteurs de toute la fenêtre, selon le nombre de jours où chacun est venu : un seul \
                 fichier par \
                 publication. Chaque lieu a ses six lignes. Les classes d'un même lieu donnent ensemble `all`, classes \
                 masquées comprises ; les lieux ne s'additionnent pas. Une fenêtre plus longue pousse vers les classes \
                 hautes : ne comparer que des fenêtres de même longueur.",
        },
        ReleaseFile::Report(Report::Flows) => Said {
            en: "Trips from an origin to a destination (an origin-destination matrix), by hour and day. A \
                 trip is two \
                 consecutive longer stays (15 minutes unless set otherwise) in different postal codes; it counts in \
                 the hour in which the second begins. Only published pairs have rows, and each covered origin one row \
                 `other` for whatever is withheld: a missing pair is not zero. Either side may be any level: fix the \
                 level of both before adding.",
            fr: "Les déplacements d'une origine vers une destination (matrice origine-destination), par \
                 heure et par \
                 jour. Un déplacement relie deux longs séjours consécutifs (15 minutes sauf réglage contraire) dans \
                 des codes postaux différents ; il compte dans l'heure où commence le second. Seules les paires \
                 publiées ont une ligne, et chaque origine desservie une ligne `other` pour tout ce qui est masqué : \
                 une paire absente ne vaut pas zéro. Chaque côté peut être à tout niveau : fixer les deux niveaux \
                 avant d'additionner.",
        },
        ReleaseFile::Report(Report::Occasions) => Said {
            en: "Concerts, matches and markets: how many people were in the area, who came and left when, \
                 from where \
                 and for how long, and what is usual there. One file for the release.",
            fr: "Concerts, matchs et marchés (manifestations) : combien de personnes se trouvaient dans la \
                 zone, quand \
                 elles sont arrivées et reparties, d'où elles venaient, combien de temps elles sont restées, et ce qui \
                 y est habituel. Un seul fichier par publication.",
        },
        ReleaseFile::Report(Report::Context) => Said {
            en: "The day's visitors and mean presence beside census figures. Rates are made from published \
                 numbers \
                 alone. Further columns, named in the run's configuration, repeat figures of the census table; they \
                 stand before `status`. Rates do not add up: make that of a larger place from its own row.",
            fr: "Les visiteurs du jour et la présence moyenne à côté des chiffres du recensement. Les taux \
                 ne viennent \
                 que de nombres publiés. D'autres colonnes, nommées dans la configuration, reprennent des chiffres de \
                 la table de recensement ; elles précèdent `status`. Les taux ne s'additionnent pas : celui d'un lieu \
                 plus grand est sur sa propre ligne.",
        },
        ReleaseFile::Places => Said {
            en: "Every place of the release, for names and for what lies in what. Join it on `level` and \
                 `place`.",
            fr: "Tous les lieux de la publication, pour les noms et pour savoir ce qui se trouve dans quoi. \
                 Joindre \
                 par `level` et `place`.",
        },
        ReleaseFile::OccasionAreas => Said {
            en: "When and where each occasion was: its window, and the postal codes that its area holds in \
                 whole or \
                 in part. Join it on `occasion`.",
            fr: "Quand et où chaque manifestation a eu lieu : sa fenêtre, et les codes postaux que sa zone \
                 contient en \
                 tout ou en partie. Joindre par `occasion`.",
        },
    }
}
