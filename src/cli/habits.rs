//! What fingers that know GNU parallel or xargs type, and what that is here: each option of theirs that is no flag of
//! ours has an answer.
//!
//! An answer is given for a word that is no flag, so a row whose option becomes a flag is never seen; a test finds it.

use std::fmt::Write;

/// Options of one meaning, and what to say of them.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    /// As they are typed, the most common first.
    pub options: &'static [&'static str],
    /// Completes the line `OPTION: ...`.
    pub answer: &'static str,
}

const fn habit(options: &'static [&'static str], answer: &'static str) -> Habit {
    Habit { options, answer }
}

/// Every option of GNU parallel 20221122 and of xargs (findutils 4.9) that is no flag here, by subject.
pub const HABITS: &[Habit] = &[
    // Progress and messages.
    habit(&["--eta", "--bar"], "part of --progress"),
    habit(&["--result"], "named --results here"),
    habit(&["--work-dir"], "named --workdir here"),
    habit(&["--tempdir"], "named --tmpdir here"),
    habit(&["--rr"], "named --round-robin here"),
    habit(&["--total-jobs", "--totaljobs", "--total"], "not here; a total that is not known yet is not guessed"),
    habit(&["--silent"], "always so here; -t prints commands, -q leaves the notices out"),
    habit(
        &["--will-cite", "--willcite", "--nn", "--nonotice", "--no-notice"],
        "always so here; there is no such notice",
    ),
    habit(&["--citation", "--bibtex"], "not here; there is nothing to cite"),
    habit(&["--gnu", "--plain"], "always so here; there is no profile and no other mode"),
    habit(&["--tollef"], "not here; items go behind :::"),
    habit(
        &["--latest-line", "--latestline", "--ll"],
        "not here; --progress names what runs longest, --line-buffer shows lines at once",
    ),
    habit(&["--tmux", "--tmux-pane", "--tmuxpane"], "not here; --flow shows what happens on stderr"),
    habit(&["--ctag", "--ctag-string", "--ctagstring"], "not here; --tag has no colors"),
    habit(
        &[
            "--color-failed",
            "--colour-failed",
            "--color-fail",
            "--colour-fail",
            "--cf",
            "--colorfailed",
            "--colourfailed",
            "--colorfail",
            "--colourfail",
        ],
        "not here; a notice names each item that failed",
    ),
    habit(&["--colour"], "named --color here"),
    habit(&["-D", "--debug"], "named --flow here, or --trace FILE and supervisor why FILE ITEM"),
    habit(&["--min-version", "--minversion"], "not here; -V prints the version"),
    habit(&["--show-limits", "--showlimits"], "supervisor xargs --show-limits shows them"),
    habit(&["--max-line-length-allowed", "--maxlinelengthallowed"], "supervisor xargs --show-limits shows it"),
    // Output.
    habit(&["--no-keep-order", "--nokeeporder", "--nok", "--no-k"], "always so here without -k"),
    habit(&["--files", "--output-as-files", "--outputasfiles"], "named --results DIR here"),
    habit(
        &[
            "--compress",
            "--compress-program",
            "--use-compress-program",
            "--decompress-program",
            "--use-decompress-program",
            "--usecompressprogram",
            "--compressprogram",
            "--usedecompressprogram",
            "--decompressprogram",
        ],
        "not here; output waits in memory, and above a limit in one file without a name",
    ),
    habit(
        &["--sql", "--sqlmaster", "--sql-master", "--sqlworker", "--sql-worker", "--sqlandworker", "--sql-and-worker"],
        "not here; --results FILE.csv and --output json are what a database imports",
    ),
    // Commands.
    habit(&["--max-procs", "--maxprocs"], "named -j or --workers here"),
    habit(&["--replace", "-i"], "named -I TEXT here; {} always is the item"),
    habit(&["--quote"], "always so here; no shell reads the words of a command without --shell"),
    habit(
        &["--shellquote", "--shell-quote"],
        "not here; --dry-run prints quoted commands, and supervisor parallel has it",
    ),
    habit(&["--dr", "--dryrun"], "named --dry-run here"),
    habit(&["--open-tty", "-o"], "named --tty here"),
    habit(
        &[
            "--parens",
            "--rpl",
            "--plus",
            "-U",
            "--extensionreplace",
            "--er",
            "--basenamereplace",
            "--bnr",
            "--dirnamereplace",
            "--dnr",
            "--basenameextensionreplace",
            "--bner",
            "--seqreplace",
            "--slotreplace",
        ],
        "not here; {} {.} {/} {//} {/.} {#} {%} are fixed",
    ),
    habit(&["--xargs"], "named -m here, or -X to repeat the text around {}"),
    habit(&["--exit", "-x"], "not here; an item that is too long alone fails alone (--fail-fast stops there)"),
    habit(&["-l", "--max-lines", "--maxlines"], "named -L N here"),
    habit(&["--max-replace-args", "--maxreplaceargs"], "named -n N here; {1} {2} are the arguments"),
    habit(&["--process-slot-var", "--processslotvar"], "always so here: $PARALLEL_JOBSLOT, and {%}"),
    habit(
        &[
            "--fg",
            "--bg",
            "--id",
            "--semaphore",
            "--semaphore-name",
            "--semaphorename",
            "--semaphore-timeout",
            "--semaphoretimeout",
            "--st",
        ],
        "for supervisor sem",
    ),
    habit(&["--wait"], "always so here; the program ends when its last command has"),
    habit(&["--ssh-delay", "--sshdelay"], "named --start-delay here"),
    habit(&["--noswap"], "named --memfree SIZE here"),
    // Input.
    habit(&["--eof", "-e"], "named -E TEXT here"),
    habit(
        &["--link", "--xapply", "--linkinputsource", "--xapplyinputsource"],
        "named :::+ and ::::+ here, before the input that is linked; supervisor parallel has it",
    ),
    habit(&["--argfile"], "named --arg-file here"),
    habit(&["--arg-file-sep", "--argfilesep"], "not here; it is ::::"),
    habit(&["--trim"], "not here, but --colsep cuts blanks around a column off"),
    habit(&["--filter"], "not here; filter the items before, with grep or awk"),
    habit(
        &["--skip-first-line", "--skipfirstline"],
        "not here; --header : takes names from it, tail -n +2 leaves it out",
    ),
    habit(&["--block-timeout", "--blocktimeout", "--bt"], "not here; lines are handed out as they arrive"),
    habit(&["--pipepart", "--pipe-part"], "named --pipe with -a FILE here"),
    habit(&["--cat", "--fifo"], "not here; a command of --pipe reads its stdin, /dev/stdin for one that wants a file"),
    habit(&["--tee"], "not here; tee >(a) >(b) of the shell gives several commands the same input"),
    habit(&["--bin", "--shard", "--group-by", "--groupby"], "not here; sort the input, then --pipe with --recstart"),
    habit(&["--regexp", "--regex"], "not here; --recstart and --recend are texts"),
    habit(&["--remove-rec-sep", "--removerecsep", "--rrs"], "not here; records stay as they are"),
    // Failures.
    habit(
        &["--resume-failed", "--resumefailed", "--retryfailed"],
        "named --resume FILE --retry-failed here, with a journal or a joblog as FILE",
    ),
    habit(&["--halt-on-error", "--haltonerror"], "named --halt WHEN here; --fail-fast is now,fail=1"),
    habit(&["--ctrl-c", "--ctrlc"], "always so here; the first Ctrl-C lets commands finish, the second one ends them"),
    habit(&["--no-ctrl-c", "--no-ctrlc", "--noctrlc"], "not here; the first Ctrl-C lets commands finish anyway"),
    habit(&["--termseq"], "named --term-seq here"),
    habit(&["--keeporder"], "named --keep-order here"),
    // Other computers, and the rest.
    habit(
        &[
            "-S",
            "--sshlogin",
            "--slf",
            "--sshloginfile",
            "--onall",
            "--nonall",
            "--controlmaster",
            "-M",
            "--ssh",
            "--rsync-opts",
            "--rsyncopts",
            "--filter-hosts",
            "--filter-host",
            "--filterhosts",
            "--hostgroups",
            "--hgrp",
            "--hostgrp",
            "--hostgroup",
            "--transfer",
            "--transferfile",
            "--transfer-file",
            "--transfer-files",
            "--transferfiles",
            "--tf",
            "--return",
            "--trc",
            "--cleanup",
            "--basefile",
            "--bf",
        ],
        "not here; all commands run on this machine (-- ssh HOST COMMAND is a command)",
    ),
    habit(
        &[
            "--number-of-cpus",
            "--number-of-cores",
            "--number-of-sockets",
            "--number-of-threads",
            "--numberofcpus",
            "--numberofsockets",
            "--numberofcores",
            "--numberofthreads",
        ],
        "not here; nproc prints the number that -j auto takes",
    ),
    habit(
        &[
            "--use-cores-instead-of-threads",
            "--use-sockets-instead-of-threads",
            "--use-cpus-instead-of-cores",
            "--usesocketsinsteadofthreads",
            "--usecoresinsteadofthreads",
            "--usecpusinsteadofcores",
        ],
        "not here; give -j a number or a percentage",
    ),
    habit(&["--profile", "-J"], "not here; put the flags into a shell function"),
    habit(&["--record-env", "--recordenv", "--session"], "always so here; commands inherit the environment"),
    habit(
        &["--embed", "--shebang", "--hashbang", "--shebang-wrap", "--shell-completion", "--shellcompletion"],
        "not here; write a shell script around supervisor",
    ),
    habit(&["--template", "--tmpl"], "not here; --shell takes a script with {} in it"),
    habit(&["--bug"], "not here; --trace FILE is what a report needs"),
];

/// The line about an option that is no flag here. `word`: without a value.
#[must_use]
pub fn answer(word: &str) -> Option<String> {
    let habit = HABITS.iter().find(|habit| habit.options.contains(&word))?;
    Some(format!("{word}: {}; see docs/habits.md", habit.answer))
}

/// The table of `docs/habits.md`, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut table = "| you type | here |\n|---|---|\n".to_owned();
    for Habit { options, answer } in HABITS {
        let options: Vec<String> = options.iter().map(|option| format!("`{option}`")).collect();
        // Writing to a text cannot fail.
        let _ = writeln!(table, "| {} | {} |", options.join(" "), answer.replace('|', "\\|"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::args::Flags;
    use super::*;
    use clap::CommandFactory;
    use std::collections::BTreeSet;

    #[test]
    fn no_option_has_two_answers_and_none_is_a_flag() {
        let mut seen = BTreeSet::new();
        let command = Flags::command();
        for option in HABITS.iter().flat_map(|habit| habit.options) {
            assert!(seen.insert(option), "{option} has two rows");
            let is_flag = command.get_arguments().any(|arg| match option.strip_prefix("--") {
                Some(long) => arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long)),
                None => arg.get_short().is_some_and(|short| option.ends_with(short)),
            });
            assert!(!is_flag, "{option} is a flag: leave its row out");
        }
    }

    #[test]
    fn an_answer_is_a_line_that_names_the_option() {
        assert_eq!(answer("--eta").unwrap(), "--eta: part of --progress; see docs/habits.md");
        assert_eq!(answer("--frobnicate"), None);
        for Habit { answer, .. } in HABITS {
            assert!(!answer.ends_with('.') && answer.len() <= 110, "{answer}");
        }
    }
}
