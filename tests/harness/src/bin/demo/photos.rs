//! A person's own photos.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use harness::Photo;

/// The local S3 keeps everything in memory.
const BYTES_MAX: u64 = 1 << 30;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PhotosError {
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    #[error("there is no file in {0}")]
    Empty(PathBuf),
    #[error("the files in {0} are more than 1 GiB, which the local S3 cannot keep in memory; choose a smaller folder")]
    TooMuch(PathBuf),
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
}

/// Reads every file of the folder and of the folders in it; hidden ones and links are left out.
pub fn read(folder: &Path) -> Result<Vec<Photo>, PhotosError> {
    if !folder.is_dir() {
        return Err(PhotosError::NotAFolder(folder.to_owned()));
    }
    let mut files = Vec::new();
    find(folder, &mut files)?;
    if files.is_empty() {
        return Err(PhotosError::Empty(folder.to_owned()));
    }
    if files.iter().map(|(_, bytes)| bytes).sum::<u64>() > BYTES_MAX {
        return Err(PhotosError::TooMuch(folder.to_owned()));
    }
    files.sort();
    files.into_iter().map(|(path, _)| photo(path)).collect()
}

/// Files with their sizes. Links are not followed, so there are no circles.
fn find(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<(), PhotosError> {
    let unreadable = |error| PhotosError::Unreadable(folder.to_owned(), error);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let metadata = entry.metadata().map_err(unreadable)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if metadata.is_dir() {
            find(&entry.path(), files)?;
        } else if metadata.is_file() {
            files.push((entry.path(), metadata.len()));
        }
    }
    Ok(())
}

fn photo(path: PathBuf) -> Result<Photo, PhotosError> {
    let format = path.extension().map_or_else(|| "UNKNOWN".to_owned(), |end| end.to_string_lossy().to_uppercase());
    // The app writes it into a header, which carries ASCII.
    let format = if format.is_ascii() { format } else { "UNKNOWN".to_owned() };
    let body = fs::read(&path).map_err(|error| PhotosError::Unreadable(path, error))?;
    Ok(Photo { body, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_in_every_folder_but_hidden_ones() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("2025/summer")).unwrap();
        fs::create_dir(folder.path().join(".cache")).unwrap();
        for (name, body) in [("a.jpg", "a"), ("2025/summer/b.heic", "b"), (".cache/c.jpg", "c"), (".d", "d")] {
            fs::write(folder.path().join(name), body).unwrap();
        }
        let photos = read(folder.path()).unwrap();
        let formats: Vec<&str> = photos.iter().map(|photo| photo.format.as_str()).collect();
        assert_eq!(formats, ["HEIC", "JPG"]);
    }

    #[test]
    fn a_folder_that_is_none_or_empty_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(PhotosError::Empty(_))));
        assert!(matches!(read(&folder.path().join("nowhere")), Err(PhotosError::NotAFolder(_))));
    }
}
