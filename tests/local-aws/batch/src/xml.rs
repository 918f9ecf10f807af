use quick_xml::{
    Reader,
    escape::{escape, resolve_predefined_entity},
    events::{BytesRef, Event},
};

use crate::error::ApiError;

/// The namespace of every S3 Control document.
const NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";

/// Deeper nesting than any S3 Control document has is refused.
const DEPTH_MAX: usize = 32;

/// One XML element without its attributes: enough for S3 Control, both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The root of a document; an error says what is wrong with it.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, ApiError> {
        let malformed = |why: String| ApiError::bad_request(format!("the request body is not well-formed XML: {why}"));
        let text = std::str::from_utf8(document).map_err(|error| malformed(error.to_string()))?;
        read(text).map_err(malformed)
    }

    /// An empty element.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With one more child.
    pub(crate) fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// With one more child, if there is one.
    pub(crate) fn with_some(self, child: Option<Self>) -> Self {
        match child {
            Some(child) => self.with(child),
            None => self,
        }
    }

    /// With more children.
    pub(crate) fn with_all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// With one more child that holds text only.
    pub(crate) fn leaf(self, name: &str, text: impl ToString) -> Self {
        self.with(Self { name: name.into(), text: text.to_string(), children: Vec::new() })
    }

    /// With one more child that holds text only, if there is text.
    pub(crate) fn leaf_some(self, name: &str, text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => self.leaf(name, text),
            None => self,
        }
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Refuses children that are repeated or not among `known`: what is not understood must not be lost.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (index, child) in self.children.iter().enumerate() {
            if !known.contains(&child.name.as_str()) {
                return Err(ApiError::bad_request(format!("unknown element {} in {}", child.name, self.name)));
            }
            if self.children[..index].iter().any(|other| other.name == child.name) {
                return Err(ApiError::bad_request(format!("element {} is repeated in {}", child.name, self.name)));
            }
        }
        Ok(())
    }

    /// The items of a list, each of which may bear any of the names in `item`.
    /// The API reference names them by type (`S3Tag`), the SDKs write and read `member`.
    pub(crate) fn list(&self, item: &[&str]) -> Result<&[Self], ApiError> {
        match self.children.iter().find(|child| !item.contains(&child.name.as_str())) {
            Some(other) => Err(ApiError::bad_request(format!("unknown element {} in {}", other.name, self.name))),
            None => Ok(&self.children),
        }
    }

    /// The document with this root.
    pub(crate) fn document(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out, &format!(" xmlns=\"{NAMESPACE}\""));
        out
    }

    fn write(&self, out: &mut String, attributes: &str) {
        out.push_str(&format!("<{}{attributes}>{}", self.name, escape(self.text.as_str())));
        for child in &self.children {
            child.write(out, "");
        }
        out.push_str(&format!("</{}>", self.name));
    }
}

fn read(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        let inner = open.last_mut().ok_or("unbalanced tags")?;
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => open.push(Element::new(tag.local_name().as_ref())),
            Event::Empty(tag) => inner.children.push(Element::new(tag.local_name().as_ref())),
            Event::End(_) => close(&mut open)?,
            Event::Text(text) => inner.text.push_str(&text.xml10_content()),
            Event::CData(text) => inner.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => inner.text.push_str(&resolve(&reference)?),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::DocType(_) => return Err("document type declarations are refused".into()),
            Event::Eof => return root(open),
        }
        if open.len() > DEPTH_MAX {
            return Err("nested too deeply".into());
        }
    }
}

/// Ends the innermost element; white space between its children is layout, not text.
fn close(open: &mut Vec<Element>) -> Result<(), String> {
    let mut element = open.pop().ok_or("unbalanced tags")?;
    if !element.children.is_empty() && element.text.trim().is_empty() {
        element.text.clear();
    }
    open.last_mut().ok_or("unbalanced tags")?.children.push(element);
    Ok(())
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, String> {
    match reference.resolve_char_ref().map_err(|error| error.to_string())? {
        Some(character) => Ok(character.into()),
        None => {
            let name = reference.xml10_content();
            resolve_predefined_entity(&name).map(str::to_owned).ok_or_else(|| format!("unknown entity {name}"))
        }
    }
}

fn root(mut open: Vec<Element>) -> Result<Element, String> {
    match (open.pop(), open.is_empty()) {
        (Some(mut outer), true) if outer.children.len() == 1 && outer.text.trim().is_empty() => {
            Ok(outer.children.remove(0))
        }
        _ => Err("a document has exactly one root element, closed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::Element;

    #[test]
    fn what_is_written_is_read_back() {
        let tree =
            Element::new("A").leaf("B", "<&\"' é \r\n").with(Element::new("C").leaf("member", "1").leaf("member", ""));
        assert_eq!(Element::parse(tree.document().as_bytes()).unwrap(), tree);
    }

    #[test]
    fn entities_prefixes_and_layout_are_understood() {
        let tree = Element::parse(
            b"<?xml version=\"1.0\"?><x:A xmlns:x=\"y\">\n <x:B>a&amp;b&#33;<![CDATA[<]]></x:B>\n <C/>\n</x:A>",
        )
        .unwrap();
        assert_eq!(tree, Element::new("A").leaf("B", "a&b!<").with(Element::new("C")));
    }

    #[test]
    fn what_is_not_one_document_is_refused() {
        for text in ["", "<A>", "</A>", "<A/><B/>", "<A>&nbsp;</A>", "<!DOCTYPE a><A/>", "text", &"<A>".repeat(99)] {
            assert_eq!(Element::parse(text.as_bytes()).unwrap_err().code, "BadRequestException", "{text}");
        }
    }

    #[test]
    fn unknown_and_repeated_children_are_refused_by_name() {
        let tree = Element::new("A").leaf("B", "1").leaf("B", "2").leaf("C", "3");
        assert!(tree.only(&["B"]).unwrap_err().message.contains("B is repeated in A"));
        assert!(Element::new("A").leaf("C", "3").only(&["B"]).unwrap_err().message.contains("unknown element C in A"));
        assert!(tree.list(&["B"]).is_err());
    }
}
