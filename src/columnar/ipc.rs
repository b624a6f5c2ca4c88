//! Tables as Arrow IPC streams: how a worker hands over a data frame that it got, and how the ledger keeps it.

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_schema::ArrowError;

/// The batches of an IPC stream, one by one.
///
/// # Errors
/// Where the bytes are none, or end too early.
pub fn read_ipc(bytes: &[u8]) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>>, ArrowError> {
    StreamReader::try_new(bytes, None)
}
