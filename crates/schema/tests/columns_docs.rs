//! The pages that explain every column, in English and French, are those that the dictionary gives.
//!
//! After a change of the dictionary, `THRONG_WRITE_DOCS=1 cargo test -p throng-schema --features files` writes them.

use std::{env, fmt::Write, fs, path::Path};

use throng_schema::{Column, Kind, LEVELS, ReleaseFile, STATUSES, Said, Value, WARNINGS, columns};

/// What a page says beside the dictionary, and how it picks from it.
struct Language {
    file: &'static str,
    pick: fn(Said) -> &'static str,
    title: &'static str,
    intro: &'static str,
    never: &'static str,
    head: [&'static str; 4],
    common: &'static str,
    values: fn(&str) -> String,
    colon: &'static str,
    or_null: &'static str,
    kind: fn(Kind) -> &'static str,
    last: &'static str,
}

const ENGLISH: Language = Language {
    file: "columns.md",
    pick: |said| said.en,
    title: "The columns of a release",
    intro: "In French: [colonnes.md](colonnes.md).\n\n\
            A release is a folder of Parquet files, with `manifest.json` beside them: the parameters (k, the smallest \
            group of devices behind a number; the step; the factor from devices to people), what is promised and what \
            is not. `date=*` in a path is the local day. People are devices times the expansion factor, rounded. Where \
            a release has other formats, the folder `csv` holds the same reports as text, `geoparquet` the same with \
            the place's names and polygon in each row, and `throng.xlsx` a sheet for each report. In CSV a \
            number that is not there is empty, times carry the zone's offset, and a text that a spreadsheet might take \
            for a formula has an apostrophe before it.",
    never: "What not to do",
    head: ["column", "type", "unit", "meaning"],
    common: "Words that every report shares",
    values: |column| format!("Values of `{column}`:"),
    colon: ":",
    or_null: " or null",
    kind: |kind| match kind {
        Kind::Time => "timestamp (ms, with zone)",
        Kind::Text => "text",
        Kind::Whole => "integer (64 bits)",
        Kind::Small => "integer (32 bits)",
        Kind::Number => "number (64 bits)",
        Kind::Truth => "true or false",
    },
    last: "This page is made from the dictionary in `crates/schema/src/dictionary.rs`, and a test compares them.",
};

const FRENCH: Language = Language {
    file: "colonnes.md",
    pick: |said| said.fr,
    title: "Les colonnes d'une publication",
    intro: "En anglais : [columns.md](columns.md).\n\n\
            Une publication (release) est un dossier de fichiers Parquet, accompagné de `manifest.json` : les \
            paramètres (k, le plus petit groupe d'appareils derrière un nombre ; le pas ; le facteur qui mène des \
            appareils aux personnes), ce qui est garanti et ce qui ne l'est pas. Dans un chemin, `date=*` est le jour \
            local. Les personnes sont les appareils multipliés par le facteur de redressement, arrondis. Si d'autres \
            formats sont demandés, le dossier `csv` contient les mêmes rapports en texte, `geoparquet` les mêmes avec \
            les noms et le polygone du lieu sur chaque ligne, et `throng.xlsx` une feuille par rapport. \
            En CSV, un nombre absent est vide, les heures portent le décalage du fuseau, et un texte qu'un tableur \
            pourrait prendre pour une formule est précédé d'une apostrophe. \
            Les noms et les valeurs des colonnes restent en anglais dans les fichiers.",
    never: "Ce qu'il ne faut pas faire",
    head: ["colonne", "type", "unité", "signification"],
    common: "Les mots communs à tous les rapports",
    values: |column| format!("Valeurs de `{column}` :"),
    colon: " :",
    or_null: ", ou vide",
    kind: |kind| match kind {
        Kind::Time => "horodatage (ms, avec fuseau)",
        Kind::Text => "texte",
        Kind::Whole => "entier (64 bits)",
        Kind::Small => "entier (32 bits)",
        Kind::Number => "nombre (64 bits)",
        Kind::Truth => "vrai ou faux",
    },
    last: "Cette page est tirée du dictionnaire de `crates/schema/src/dictionary.rs`, et un test les compare.",
};

fn page(language: &Language) -> String {
    let Language { pick, title, intro, never, common, last, .. } = language;
    let mut page = format!("# {title}\n\n{intro}\n\n## {never}\n\n");
    for warning in WARNINGS {
        writeln!(page, "- {}", pick(warning)).expect("text");
    }
    writeln!(page, "\n## {common}").expect("text");
    explain(&mut page, "level", &LEVELS, language);
    explain(&mut page, "status", &STATUSES, language);
    for file in ReleaseFile::ALL {
        section(&mut page, file, language);
    }
    writeln!(page, "\n---\n\n{last}").expect("text");
    page
}

fn section(page: &mut String, file: ReleaseFile, language: &Language) {
    let Language { pick, head, .. } = language;
    writeln!(page, "\n## `{}`\n\n{}\n", file.path(), pick(file.meaning())).expect("text");
    writeln!(page, "| {} |\n| --- | --- | --- | --- |", head.join(" | ")).expect("text");
    for column in columns(file) {
        writeln!(page, "{}", row(&column, language)).expect("text");
    }
    let of_its_own = |values: &[Value]| !values.is_empty() && values != LEVELS && values != STATUSES;
    for column in columns(file).iter().filter(|column| of_its_own(column.values)) {
        explain(page, column.name, column.values, language);
    }
}

fn explain(
    page: &mut String,
    column: &str,
    words: &[Value],
    Language { pick, values, colon, .. }: &Language,
) {
    writeln!(page, "\n{}\n", values(column)).expect("text");
    for Value { word, meaning } in words {
        writeln!(page, "- `{word}`{colon} {}", pick(*meaning)).expect("text");
    }
}

fn row(column: &Column, Language { pick, kind, or_null, .. }: &Language) -> String {
    let null = if column.nullable { or_null } else { "" };
    let kind = kind(column.kind);
    format!("| `{}` | {kind}{null} | {} | {} |", column.name, pick(column.unit), pick(column.meaning))
}

#[test]
fn the_pages_say_what_the_dictionary_says() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for language in [ENGLISH, FRENCH] {
        let (path, wanted) = (docs.join(language.file), page(&language));
        if env::var_os("THRONG_WRITE_DOCS").is_some_and(|set| set == "1") {
            fs::write(&path, &wanted).expect("a page written");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "docs/{} is not what the dictionary gives; set THRONG_WRITE_DOCS=1 to write it",
            language.file
        );
    }
}
