//! Where moto 5.2.5 answers otherwise: the line, the strict server's answer, moto's.
//!
//! Whoever tests against moto alone tests none of these. A row leaves when moto agrees.

/// What differs under one rule, in the order of its script.
pub(crate) type Differences = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

pub(crate) const DIFFERENCES: &[Differences] = &[
    (
        "a promotion moves the previous label too, and leaves the pending one",
        &[
            ("labels s", "#2=AWSPREVIOUS #3=AWSCURRENT+AWSPENDING", "#1= #2=AWSPREVIOUS #3=AWSCURRENT+AWSPENDING"),
            ("get s", "three", "one"),
        ],
    ),
    (
        "a version without labels is deprecated: not described, not listed, but readable",
        &[
            ("labels s", "#2=AWSPREVIOUS #3=AWSCURRENT", "#1= #2=AWSPREVIOUS #3=AWSCURRENT"),
            ("versions s", "#2=AWSPREVIOUS #3=AWSCURRENT", "#1= #2=AWSPREVIOUS #3=AWSCURRENT"),
        ],
    ),
    (
        "a put that becomes current takes the pending label off the version that was",
        &[("labels s", "#2=AWSPREVIOUS #3=AWSCURRENT", "#1=AWSPREVIOUS #2=AWSCURRENT+AWSPENDING #3=AWSCURRENT")],
    ),
    (
        "a label of our own stays when its version stops being current",
        &[("labels s", "#1=AWSPREVIOUS+superseded-1 #2=AWSCURRENT", "#1=AWSPREVIOUS #2=AWSCURRENT")],
    ),
    (
        "to a version that is unknown nothing moves",
        &[("labels s", "#1=AWSCURRENT", "#1="), ("get s AWSCURRENT", "one", "ResourceNotFoundException")],
    ),
    (
        "the current label cannot be taken away",
        &[
            ("move s AWSCURRENT from #1", "InvalidParameterException", "ok"),
            ("labels s", "#1=AWSCURRENT", "#1=AWSPREVIOUS"),
            ("get s AWSCURRENT", "one", "ResourceNotFoundException"),
        ],
    ),
    (
        "another label can be taken away, from the version that has it",
        &[("labels s", "#1=AWSCURRENT", "#1=AWSCURRENT #2=")],
    ),
    (
        "a label of our own moves from a version that is named, or not at all",
        &[
            ("move s mine to #1", "InvalidParameterException", "ok"),
            ("labels s", "#1=AWSCURRENT #2=mine", "#1=AWSCURRENT+mine #2=mine"),
            ("labels s", "#1=AWSCURRENT+mine", "#1=AWSCURRENT+mine+mine #2="),
        ],
    ),
    (
        "a label that is there already stays there once",
        &[
            ("move s AWSCURRENT to #1", "ok", "InvalidParameterException"),
            ("labels s", "#1=AWSCURRENT+mine", "#1=AWSCURRENT+mine+mine"),
        ],
    ),
    ("from nowhere to nowhere is refused", &[("move s mine", "InvalidParameterException", "ok")]),
    (
        "a used token with another value is refused, whatever its version's labels",
        &[
            ("put s #2 other AWSPENDING", "ResourceExistsException", "ok"),
            ("get s #2", "two", "other"),
            ("put s #2 other AWSPENDING", "ResourceExistsException", "ok"),
            ("labels s", "#1=AWSCURRENT #3=AWSPENDING", "#1=AWSCURRENT #2= #3=AWSPENDING"),
            ("get s #2", "two", "other"),
        ],
    ),
    (
        "a used token with the same value does nothing, labels included",
        &[
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING", "#1=AWSCURRENT #2=AWSPENDING+mine"),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING", "#1=AWSPREVIOUS #2=AWSCURRENT"),
            ("labels s", "#1=AWSCURRENT #3=AWSPENDING", "#1=AWSPREVIOUS #2=AWSCURRENT #3=AWSPENDING"),
        ],
    ),
    (
        "an update makes a current version, and takes no used token",
        &[("update s #2 two", "ResourceExistsException", "ok")],
    ),
    ("what is not there is not found", &[("versions s", "ResourceNotFoundException", "an error without a code")]),
    (
        "a secret scheduled for deletion is described and nothing else, until it is restored",
        &[
            ("create s #3 three", "InvalidRequestException", "ResourceExistsException"),
            ("put s #3 three AWSPENDING", "InvalidRequestException", "ok"),
            ("move s AWSCURRENT from #1 to #2", "InvalidRequestException", "ok"),
            ("tag s a b", "InvalidRequestException", "ok"),
            ("state s", "live", "live a=b"),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING", "#1=AWSPREVIOUS #2=AWSCURRENT #3=AWSPENDING"),
        ],
    ),
    (
        "a batch says which secrets it could not read",
        &[(
            "batch a b c d",
            "a=one b!ResourceNotFoundException c=three d!ResourceNotFoundException",
            "ResourceNotFoundException",
        )],
    ),
    (
        "a batch is of 20 at most",
        &[("batch a a a a a a a a a a a a a a a a a a a a a", "ValidationException", "a=one")],
    ),
    ("a list comes in pages, by prefix", &[("list a 101", "ValidationException", "a1 a2 a3 a5 a6")]),
    (
        "tags are kept by key",
        &[
            ("tag s aws:x y", "InvalidParameterException", "ok"),
            ("state s", "live owner=me team=blue", "live team=blue owner=me aws:x=y"),
        ],
    ),
    (
        "a value has 1 to 65,536 bytes",
        &[
            ("put s #2 x*65537", "ValidationException", "ok"),
            ("put s #3 ü*32769", "ValidationException", "ok"),
            ("put s #4 ''", "ValidationException", "InvalidRequestException"),
            ("labels s", "#1=AWSCURRENT", "#1= #2=AWSPREVIOUS #3=AWSCURRENT"),
        ],
    ),
    (
        "a name has 512 characters at most, and not every character",
        &[("create a*513", "ValidationException", "ok"), ("create a?b", "ValidationException", "ok")],
    ),
    (
        "a secret has 20 labels at most, and a call brings 20",
        &[
            ("put s #2 two a b c d e f g h i j k l m n o p q r s t u", "ValidationException", "ok"),
            ("put s #2 two a b c d e f g h i j k l m n o p q r s t", "LimitExceededException", "ok"),
            ("move s u to #1", "LimitExceededException", "ok"),
            (
                "labels s",
                "#1=AWSCURRENT #2=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s",
                "#1=AWSCURRENT+u #2=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s+t+u",
            ),
        ],
    ),
];
