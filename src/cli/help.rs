//! The texts around the list of flags. Tests compare them with the code where they can.

pub const ABOUT: &str = "Runs items through worker processes, survives any worker's death and loses no item.";

pub const USAGE: &str = "\
supervisor [OPTIONS]                                  the demonstration
       supervisor [OPTIONS] ::: ITEM...                      the built-in worker, on these items
       supervisor [OPTIONS] -- COMMAND [ARG]...              COMMAND once per line of stdin
       supervisor [OPTIONS] -- COMMAND [ARG]... ::: ITEM...  COMMAND once per item
       supervisor [OPTIONS] -- COMMAND [ARG]... :::: FILE    COMMAND once per line of FILE
       supervisor [OPTIONS] -- COMMAND [ARG]... ::: A ::: B  COMMAND once per combination
       supervisor SUBCOMMAND ...                             something else; they are listed below";

pub const AFTER_SHORT: &str = "More with --help: placeholders, tasks, formats, examples, signals, exit codes.";

pub const AFTER_LONG: &str = "\
Placeholders in the arguments of COMMAND (with none of them, the item is appended):
  {}    the item                        {.}   it without its extension
  {/}   its last part                   {//}  its directory
  {/.}  its last part, no extension     {#}   its number, from 1
  {%}   the worker's slot, from 1       {2}   the second argument of several, {-1} the last;
                                        {2.} {2/} and so on; {NAME} with --header
An item has several arguments with a second ::: or :::: (all combinations; :::+ and ::::+ go
along with the input before, one by one), with --colsep and --csv (columns), and with -n, -L,
-X, -m. {} then becomes as many words: a{}b becomes a1 2b, or with -X and -L a1b a2b.
With --shell they may stand outside quotes, in single or double quotes, in $( ) and in a
here-document; the item is literal in each. What runs its argument as code (eval, sh -c, awk) runs
an item in it too.

Tasks of the built-in worker:
  square cube echo sleep countdown identity (or whoami) hash
  and to break things: exit signal panic hang leak

Isolation of the built-in worker:
  process  a worker that crashes takes nothing with it, and is replaced
  thread   for comparison, in the supervisor itself: a panic still fails its item alone, but an
           abort, an exit or a signal takes everything down; a thread cannot be ended, so there
           is no --timeout, and one that does not leave goes with the supervisor at its end

What becomes of an item:
  done     an attempt succeeded
  failed   its last attempt (--retries) failed: an error, another exit code than 0, a timeout
  dead     it ended as many workers as --crash-limit allows, by a signal or an exit under it
  skipped  the run stopped before, or with -p the answer was no, which is no failure
A command that exits with 75 is tried again, 3 times without --retries, and with 65 never; rules
for other exits: --on 3,4=retry --on SEGV=dead

The demonstration, with no command and no input: 5 workers, 20 items, --output narrate,
--transport pipe, --kill-limit never.

Formats:
  D     200ms 1.5s 2m 1h30m; a bare number is seconds
  SIZE  K M G are powers of 1024, k m g powers of 1000

Examples:
  supervisor --workers 5                five workers square the numbers 0 to 19
  supervisor -- gzip -9 {} ::: *.log    a gzip per file, as many at once as there are cores
  find . -name '*.png' -print0 | supervisor -0 -j 200% -- optipng -quiet {}
  seq 1000000 | supervisor -k -a - --task square
  supervisor --timeout 10s --retries 2 --output json -- curl -sf {} :::: urls.txt
  supervisor -- convert {1} -resize {2} {1.}-{2}.png ::: *.jpg ::: 100 200
  find . -name '*.o' -print0 | supervisor -0 -X -- rm
  supervisor --csv --header : -a users.csv -- adduser --gecos {name} {login}
  supervisor --block 1M --stdin -a words.txt -- wc -w
  zcat log.gz | supervisor -j4 --pipe --block 10M -- grep -c ERROR

Signals:
  INT, TERM  first: no new items, running ones may finish; second: end them; third: KILL
  QUIT       end the running items at once
  USR1       where the run is, to stderr: items, workers, and what each does

Exit codes:
  0        every item done
  1        finished, but some item failed, is dead or was skipped
  2        wrong usage; nothing was started
  3        gave up: restart limit, too many dead items, or the workers cannot start
  4        a file that the run needs for itself failed
  5        the source or the sink was lost
  6        refused: limits too low
  124      --run-timeout passed
  125      the supervisor itself failed
  126,127  COMMAND not executable, not found, at the start or later
  128+N    ended by signal N
  --exit-code count: 1 to 100 failed items, 101 for more; xargs: 123 failed, and it stops at
  a command that exits with 255 (124) or that a signal ended (125)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_task() {
        for task in crate::model::spec::TASKS {
            assert!(AFTER_LONG.split_whitespace().any(|word| word == task), "{task}");
        }
    }
}
