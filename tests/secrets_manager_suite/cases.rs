//! The rules, each with a script and what the documentation makes us expect of it.

/// A rule.
pub(crate) struct Case {
    pub(crate) rule: &'static str,
    /// Lines and the strict server's answers.
    pub(crate) script: &'static [(&'static str, &'static str)],
}

const fn case(rule: &'static str, script: &'static [(&'static str, &'static str)]) -> Case {
    Case { rule, script }
}

const PARAMETER: &str = "InvalidParameterException";
const REQUEST: &str = "InvalidRequestException";
const MISSING: &str = "ResourceNotFoundException";
const EXISTS: &str = "ResourceExistsException";
const INVALID: &str = "ValidationException";
const LIMIT: &str = "LimitExceededException";

pub(crate) const CASES: &[Case] = &[
    // Versions and labels.
    case(
        "the first version is current whatever was asked for",
        &[("create s", "ok"), ("put s #1 one AWSPENDING", "ok"), ("labels s", "#1=AWSCURRENT+AWSPENDING")],
    ),
    case(
        "a staged version is pending and not current",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING"),
            ("get s", "one"),
            ("get s AWSPENDING", "two"),
            ("get s #2", "two"),
        ],
    ),
    case(
        "a promotion moves the previous label too, and leaves the pending one",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("move s AWSCURRENT from #1 to #2", "ok"),
            ("labels s", "#1=AWSPREVIOUS #2=AWSCURRENT+AWSPENDING"),
            ("put s #3 three AWSPENDING", "ok"),
            ("labels s", "#1=AWSPREVIOUS #2=AWSCURRENT #3=AWSPENDING"),
            ("move s AWSCURRENT from #2 to #3", "ok"),
            ("labels s", "#2=AWSPREVIOUS #3=AWSCURRENT+AWSPENDING"),
            ("get s", "three"),
        ],
    ),
    case(
        "a version without labels is deprecated: not described, not listed, but readable",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two", "ok"),
            ("put s #3 three", "ok"),
            ("labels s", "#2=AWSPREVIOUS #3=AWSCURRENT"),
            ("versions s", "#2=AWSPREVIOUS #3=AWSCURRENT"),
            ("versions-all s", "#1= #2=AWSPREVIOUS #3=AWSCURRENT"),
            ("get s #1", "one"),
        ],
    ),
    case(
        "going back swaps current and previous",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two", "ok"),
            ("move s AWSCURRENT from #2 to #1", "ok"),
            ("labels s", "#1=AWSCURRENT #2=AWSPREVIOUS"),
        ],
    ),
    case(
        "going back leaves the pending label where it was",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("move s AWSCURRENT from #1 to #2", "ok"),
            ("move s AWSCURRENT from #2 to #1", "ok"),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING+AWSPREVIOUS"),
        ],
    ),
    case(
        "a put that becomes current takes the pending label off the version that was",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("move s AWSCURRENT from #1 to #2", "ok"),
            ("put s #3 three", "ok"),
            ("labels s", "#2=AWSPREVIOUS #3=AWSCURRENT"),
        ],
    ),
    case(
        "a put that becomes current leaves another version pending",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("put s #3 three", "ok"),
            ("labels s", "#1=AWSPREVIOUS #2=AWSPENDING #3=AWSCURRENT"),
        ],
    ),
    case(
        "a label of our own stays when its version stops being current",
        &[
            ("create s #1 one", "ok"),
            ("move s superseded-1 to #1", "ok"),
            ("put s #2 two", "ok"),
            ("labels s", "#1=AWSPREVIOUS+superseded-1 #2=AWSCURRENT"),
        ],
    ),
    case(
        "a label is on one version: a put takes it along",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two a b", "ok"),
            ("put s #3 three b c", "ok"),
            ("labels s", "#1=AWSCURRENT #2=a #3=b+c"),
        ],
    ),
    // Compare and swap.
    case(
        "a promotion made twice is refused, and nothing changes",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("move s AWSCURRENT from #1 to #2", "ok"),
            ("move s AWSCURRENT from #1 to #2", PARAMETER),
            ("labels s", "#1=AWSPREVIOUS #2=AWSCURRENT+AWSPENDING"),
        ],
    ),
    case(
        "the loser of two promotions is refused, and nothing changes",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two a", "ok"),
            ("put s #3 three b", "ok"),
            ("move s AWSCURRENT from #1 to #2", "ok"),
            ("move s AWSCURRENT from #1 to #3", PARAMETER),
            ("labels s", "#1=AWSPREVIOUS #2=AWSCURRENT+a #3=b"),
        ],
    ),
    case(
        "the current label moves from a version that is named, or not at all",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("move s AWSCURRENT to #2", PARAMETER),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING"),
        ],
    ),
    case(
        "to a version that is unknown nothing moves",
        &[
            ("create s #1 one", "ok"),
            ("move s AWSCURRENT from #1 to #9", PARAMETER),
            ("labels s", "#1=AWSCURRENT"),
            ("get s AWSCURRENT", "one"),
        ],
    ),
    case(
        "from a version that is unknown nothing moves",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("move s AWSCURRENT from #9 to #2", PARAMETER),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING"),
        ],
    ),
    case(
        "the current label cannot be taken away",
        &[
            ("create s #1 one", "ok"),
            ("move s AWSCURRENT from #1", PARAMETER),
            ("labels s", "#1=AWSCURRENT"),
            ("get s AWSCURRENT", "one"),
        ],
    ),
    case(
        "another label can be taken away, from the version that has it",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("move s AWSPENDING from #1", PARAMETER),
            ("move s AWSPENDING from #2", "ok"),
            ("labels s", "#1=AWSCURRENT"),
            ("versions-all s", "#1=AWSCURRENT #2="),
        ],
    ),
    case(
        "a label of our own moves from a version that is named, or not at all",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two mine", "ok"),
            ("move s mine to #1", PARAMETER),
            ("labels s", "#1=AWSCURRENT #2=mine"),
            ("move s mine from #2 to #1", "ok"),
            ("labels s", "#1=AWSCURRENT+mine"),
        ],
    ),
    case(
        "a label that is there already stays there once",
        &[
            ("create s #1 one", "ok"),
            ("move s AWSCURRENT to #1", "ok"),
            ("move s mine to #1", "ok"),
            ("move s mine to #1", "ok"),
            ("labels s", "#1=AWSCURRENT+mine"),
        ],
    ),
    case("from nowhere to nowhere is refused", &[("create s #1 one", "ok"), ("move s mine", PARAMETER)]),
    // Tokens.
    case(
        "a used token with another value is refused, whatever its version's labels",
        &[
            ("create s #1 one", "ok"),
            ("put s #1 other", EXISTS),
            ("put s #2 two AWSPENDING", "ok"),
            ("put s #2 other AWSPENDING", EXISTS),
            ("get s #2", "two"),
            ("put s #3 three AWSPENDING", "ok"),
            ("put s #2 other AWSPENDING", EXISTS),
            ("labels s", "#1=AWSCURRENT #3=AWSPENDING"),
            ("get s #2", "two"),
        ],
    ),
    case(
        "a used token with the same value does nothing, labels included",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("put s #2 two AWSPENDING mine", "ok"),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING"),
            ("put s #2 two", "ok"),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING"),
            ("put s #3 three AWSPENDING", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("labels s", "#1=AWSCURRENT #3=AWSPENDING"),
        ],
    ),
    case(
        "an update makes a current version, and takes no used token",
        &[
            ("create s #1 one", "ok"),
            ("update s #2 two", "ok"),
            ("labels s", "#1=AWSPREVIOUS #2=AWSCURRENT"),
            ("update s #2 other", EXISTS),
            ("update s #2 two", EXISTS),
            ("get s", "two"),
        ],
    ),
    case(
        "a secret is created once, by one token and value",
        &[
            ("create s #1 one", "ok"),
            ("create s #1 one", "ok"),
            ("create s #1 other", EXISTS),
            ("create s #2 one", EXISTS),
            ("create s", EXISTS),
            ("get s", "one"),
        ],
    ),
    case(
        "a secret without a version is created once",
        &[("create s", "ok"), ("create s", EXISTS), ("create s #1 one", EXISTS), ("labels s", "")],
    ),
    // Absence and deletion.
    case(
        "what is not there is not found",
        &[
            ("get s", MISSING),
            ("put s #1 one", MISSING),
            ("update s #1 one", MISSING),
            ("move s AWSCURRENT to #1", MISSING),
            ("labels s", MISSING),
            ("versions s", MISSING),
            ("tag s a b", MISSING),
            ("restore s", MISSING),
            ("delete s", MISSING),
            ("delete s force", "ok"),
        ],
    ),
    case(
        "a value that is not there is not found",
        &[
            ("create s", "ok"),
            ("get s", MISSING),
            ("get s AWSPENDING", MISSING),
            ("put s #1 one", "ok"),
            ("get s #9", MISSING),
            ("get s AWSPENDING", MISSING),
            ("put s #2 two AWSPENDING", "ok"),
            ("get s #1 AWSPENDING", REQUEST),
            ("get s #2 AWSPENDING", "two"),
        ],
    ),
    case(
        "a secret scheduled for deletion is described and nothing else, until it is restored",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two AWSPENDING", "ok"),
            ("delete s 7", "ok"),
            ("state s", "scheduled"),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING"),
            ("get s", REQUEST),
            ("batch s", "s!InvalidRequestException"),
            ("create s #3 three", REQUEST),
            ("put s #3 three AWSPENDING", REQUEST),
            ("update s #3 three", REQUEST),
            ("move s AWSCURRENT from #1 to #2", REQUEST),
            ("tag s a b", REQUEST),
            ("delete s 7", REQUEST),
            ("list s", ""),
            ("list-all s", "s"),
            ("restore s", "ok"),
            ("state s", "live"),
            ("labels s", "#1=AWSCURRENT #2=AWSPENDING"),
            ("get s", "one"),
        ],
    ),
    case(
        "a deletion without recovery is for good",
        &[
            ("create s #1 one", "ok"),
            ("delete s force", "ok"),
            ("get s", MISSING),
            ("restore s", MISSING),
            ("create s #1 other", "ok"),
            ("delete s 30", "ok"),
            ("delete s force", "ok"),
            ("labels s", MISSING),
        ],
    ),
    case(
        "recovery takes 7 to 30 days or is left out",
        &[
            ("create s #1 one", "ok"),
            ("delete s 6", PARAMETER),
            ("delete s 31", PARAMETER),
            ("delete s 7 force", PARAMETER),
            ("state s", "live"),
        ],
    ),
    // Many at once.
    case(
        "a batch says which secrets it could not read",
        &[
            ("create a #1 one", "ok"),
            ("create b", "ok"),
            ("create c #1 three", "ok"),
            ("batch c a", "a=one c=three"),
            ("batch a b c d", "a=one b!ResourceNotFoundException c=three d!ResourceNotFoundException"),
        ],
    ),
    case(
        "a batch is of 20 at most",
        &[
            ("create a #1 one", "ok"),
            ("batch a a a a a a a a a a a a a a a a a a a a", "a=one"),
            ("batch a a a a a a a a a a a a a a a a a a a a a", INVALID),
        ],
    ),
    case(
        "a list comes in pages, by prefix",
        &[
            ("create a1", "ok"),
            ("create a2 #1 one", "ok"),
            ("create a3", "ok"),
            ("create A4", "ok"),
            ("create b1", "ok"),
            ("create a5", "ok"),
            ("create a6", "ok"),
            ("list a", "a1 a2 a3 a5 a6"),
            ("list a 2", "a1 a2 | a3 a5 | a6"),
            ("list a 100", "a1 a2 a3 a5 a6"),
            ("list a 101", INVALID),
        ],
    ),
    case(
        "tags are kept by key",
        &[
            ("create s", "ok"),
            ("tag s team red", "ok"),
            ("tag s owner me", "ok"),
            ("tag s team blue", "ok"),
            ("tag s aws:x y", PARAMETER),
            ("state s", "live owner=me team=blue"),
        ],
    ),
    // Sizes.
    case(
        "a value has 1 to 65,536 bytes",
        &[
            ("create s", "ok"),
            ("put s #1 x*65536", "ok"),
            ("put s #2 x*65537", INVALID),
            ("put s #3 ü*32769", INVALID),
            ("put s #4 ''", INVALID),
            ("labels s", "#1=AWSCURRENT"),
        ],
    ),
    case(
        "a token has 32 to 64 characters",
        &[
            ("create s", "ok"),
            ("put s x*31 one", PARAMETER),
            ("put s x*65 one", PARAMETER),
            ("update s x*31 one", PARAMETER),
            ("create t x*31 one", PARAMETER),
            ("put s x*32 one", "ok"),
            ("put s x*64 two", "ok"),
        ],
    ),
    case(
        "a name has 512 characters at most, and not every character",
        &[("create a/b_c+d=e.f@g-h", "ok"), ("create a*504", "ok"), ("create a*513", INVALID), ("create a?b", INVALID)],
    ),
    case(
        "a secret has 20 labels at most, and a call brings 20",
        &[
            ("create s #1 one", "ok"),
            ("put s #2 two a b c d e f g h i j k l m n o p q r s t u", INVALID),
            ("put s #2 two a b c d e f g h i j k l m n o p q r s t", LIMIT),
            ("put s #2 two a b c d e f g h i j k l m n o p q r s", "ok"),
            ("move s u to #1", LIMIT),
            ("labels s", "#1=AWSCURRENT #2=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s"),
        ],
    ),
];
