//! Records as CSV for other programs, and back: a header, and below it a record per line.

use serde_json::{Map, Value};

/// CSV text with a header.
#[derive(Debug)]
pub struct CsvText;

/// Why records cannot be written, or a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CsvTextError(pub String);

impl CsvText {
    /// Writes mappings, given as JSON. The keys of the first one are the header.
    ///
    /// # Errors
    /// If another one has other keys.
    pub fn write(records: &[Vec<u8>]) -> Result<Vec<u8>, CsvTextError> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let mut header: Vec<String> = Vec::new();
        for (at, json) in records.iter().enumerate() {
            let record: Map<String, Value> = serde_json::from_slice(json).map_err(failed)?;
            if at == 0 {
                header = record.keys().cloned().collect();
                out.write_record(&header).map_err(failed)?;
            }
            if let Some(name) = record.keys().find(|name| !header.contains(name)) {
                return Err(CsvTextError(format!("only some items of the batch have the column `{name}`")));
            }
            let field = |name: &String| match record.get(name) {
                Some(value) => Ok(text(value)),
                None => Err(CsvTextError(format!("only some items of the batch have the column `{name}`"))),
            };
            let fields = header.iter().map(field).collect::<Result<Vec<_>, _>>()?;
            out.write_record(fields).map_err(failed)?;
        }
        out.into_inner().map_err(failed)
    }

    /// Reads records. Returns each as JSON, a mapping of texts.
    ///
    /// # Errors
    /// If the text has no header, a record has more or fewer fields than that, or is not UTF-8.
    pub fn read(text: &[u8]) -> Result<Vec<Vec<u8>>, CsvTextError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let mut reader = csv::Reader::from_reader(text);
        let header = reader.headers().map_err(failed)?.clone();
        let mut records = Vec::new();
        for record in reader.records() {
            let record = record.map_err(failed)?;
            let fields = header.iter().zip(&record).map(|(name, field)| (name.to_owned(), Value::from(field)));
            records.push(Value::Object(fields.collect()).to_string().into_bytes());
        }
        Ok(records)
    }
}

fn failed(error: impl ToString) -> CsvTextError {
    CsvTextError(error.to_string())
}

/// A value as the text of its field.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_written() {
        let records = [r#"{"a":"x, \"y\"","b":"1\n2"}"#, r#"{"b":"","a":"é"}"#].map(|json| json.as_bytes().to_vec());
        let text = CsvText::write(&records).unwrap();
        assert_eq!(text, "a,b\n\"x, \"\"y\"\"\",\"1\n2\"\né,\n".as_bytes());
        let back = CsvText::read(&text).unwrap();
        assert_eq!(
            back,
            [r#"{"a":"x, \"y\"","b":"1\n2"}"#, r#"{"a":"é","b":""}"#].map(|json| json.as_bytes().to_vec())
        );
    }

    #[test]
    fn values_that_are_no_texts_are_written_as_json() {
        let records = [br#"{"n":12345678901234567890,"t":true,"z":null,"l":[1]}"#.to_vec()];
        assert_eq!(CsvText::write(&records).unwrap(), b"n,t,z,l\n12345678901234567890,true,,[1]\n");
    }

    #[test]
    fn records_of_other_columns_are_refused() {
        let one_more = [br#"{"a":1}"#.to_vec(), br#"{"a":1,"b":2}"#.to_vec()];
        assert_eq!(CsvText::write(&one_more).unwrap_err().0, "only some items of the batch have the column `b`");
        let one_less = [br#"{"a":1,"b":2}"#.to_vec(), br#"{"a":1}"#.to_vec()];
        assert_eq!(CsvText::write(&one_less).unwrap_err().0, "only some items of the batch have the column `b`");
        assert!(CsvText::read(b"a,b\n1\n").is_err());
    }
}
