//! Why a reporter fails.

/// Why a reporter failed. The texts complete "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ReporterError {
    #[error("create {path}: {error}")]
    Create { path: String, error: std::io::Error },
    #[error("write {path}: {error}")]
    Write { path: String, error: std::io::Error },
    #[error("keep output for the end of the run in a temporary file in {folder}: {error}")]
    Keep { folder: String, error: std::io::Error },
    #[error("read back a result of an earlier session: {error}")]
    Earlier { error: std::io::Error },
    #[error("read back what was spilled to {folder}: {error}")]
    Spill { folder: String, error: std::io::Error },
}
