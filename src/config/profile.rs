//! `~/.ncloud/configure`, where the provider's own tools keep keys: sections as profiles.

/// The key pair of a profile: `ncloud_access_key_id` and `ncloud_secret_access_key` (`ncloud-api.md`, section 1), each when
/// it is there. Lines before the first section belong to `DEFAULT`; the names of sections are compared without case.
pub(super) fn find<'a>(text: &'a str, profile: &str) -> Option<Profile<'a>> {
    let mut section = "DEFAULT";
    let mut found: Option<Profile<'a>> = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim();
            if section.eq_ignore_ascii_case(profile) {
                found.get_or_insert_default();
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) else { continue };
        if !section.eq_ignore_ascii_case(profile) {
            continue;
        }
        let profile = found.get_or_insert_default();
        match key.trim() {
            "ncloud_access_key_id" => profile.access = Some(value.trim()),
            "ncloud_secret_access_key" => profile.secret = Some(value.trim()),
            _ => {}
        }
    }
    found
}

/// What a profile says. It holds secrets, and so is never shown.
#[derive(Default)]
pub(super) struct Profile<'a> {
    pub(super) access: Option<&'a str>,
    pub(super) secret: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "ncloud_access_key_id = A0\n\n[DEFAULT]\nncloud_secret_access_key=S0\n# [dev]\n[dev]\r\n\
                        ncloud_access_key_id = A1\r\nncloud_secret_access_key = S=1\r\n;ncloud_access_key_id = no\n\
                        ncloud_api_url = https://x\n[empty]\n";

    #[test]
    fn profiles_are_sections() {
        let pair = |name| find(FILE, name).map(|profile| (profile.access, profile.secret));
        assert_eq!(pair("DEFAULT"), Some((Some("A0"), Some("S0"))));
        assert_eq!(pair("default"), Some((Some("A0"), Some("S0"))));
        assert_eq!(pair("dev"), Some((Some("A1"), Some("S=1"))));
        assert_eq!(pair("empty"), Some((None, None)));
        assert_eq!(pair("other"), None);
    }
}
