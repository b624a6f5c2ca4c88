//! Writes plain values as opcodes of a pickle, without Python's pickler.
//!
//! A value is plain if it is made of None, booleans, numbers and text, at most in one list, tuple or mapping: then it refers to
//! nothing twice, so its opcodes may be part of any pickle. The opcodes are those of `pickletools` for protocol 5.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// The longest text that is written here, in bytes. Beyond that, the pickler is as quick.
const MOST_TEXT: usize = 1 << 16;

/// The longest container that is written here.
const MOST_ELEMENTS: usize = 64;

/// Appends a plain value. False if it is not plain; then `out` is as it was.
pub(super) fn write_plain(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let plain = write_scalar(value, out) || write_container(value, out);
    if !plain {
        out.truncate(start);
    }
    plain
}

fn write_scalar(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> bool {
    if let Ok(number) = value.cast_exact::<PyInt>() {
        let Ok(number) = number.extract::<i64>() else { return false };
        write_integer(number, out);
    } else if let Ok(number) = value.cast_exact::<PyFloat>() {
        out.push(b'G');
        out.extend_from_slice(&number.value().to_be_bytes());
    } else if value.is_none() {
        out.push(b'N');
    } else if let Ok(value) = value.cast_exact::<PyBool>() {
        out.push(if value.is_true() { 0x88 } else { 0x89 });
    } else if let Ok(text) = value.cast_exact::<PyString>() {
        // A lone surrogate is the pickler's business.
        let Some(text) = text.to_str().ok().filter(|text| text.len() <= MOST_TEXT) else { return false };
        write_sized((0x8c, b'X'), text.as_bytes(), out);
    } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        let bytes = bytes.as_bytes();
        if bytes.len() > MOST_TEXT {
            return false;
        }
        write_sized((b'C', b'B'), bytes, out);
    } else {
        return false;
    }
    true
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    if let Ok(byte) = u8::try_from(number) {
        out.extend_from_slice(&[b'K', byte]);
    } else if let Ok(short) = u16::try_from(number) {
        out.push(b'M');
        out.extend_from_slice(&short.to_le_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(b'J');
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        out.extend_from_slice(&[0x8a, 8]);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// With the opcode for a length of one byte, or of four.
fn write_sized((short, long): (u8, u8), bytes: &[u8], out: &mut Vec<u8>) {
    if let Ok(length) = u8::try_from(bytes.len()) {
        out.extend_from_slice(&[short, length]);
    } else {
        out.push(long);
        out.extend_from_slice(&u32::try_from(bytes.len()).expect("at most MOST_TEXT").to_le_bytes());
    }
    out.extend_from_slice(bytes);
}

fn write_container(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> bool {
    out.push(b'(');
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        let plain = tuple.len() <= MOST_ELEMENTS && tuple.iter().all(|element| write_scalar(&element, out));
        out.push(b't');
        plain
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        let plain = list.len() <= MOST_ELEMENTS && list.iter().all(|element| write_scalar(&element, out));
        out.push(b'l');
        plain
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        let plain = dict.len() <= MOST_ELEMENTS
            && dict.iter().all(|(key, value)| write_scalar(&key, out) && write_scalar(&value, out));
        out.push(b'd');
        plain
    } else {
        false
    }
}
