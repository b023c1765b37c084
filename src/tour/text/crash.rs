//! The words of the lesson `crash`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const BLAME: Text = Text {
    en: "Blame: only the item that crashed its worker was charged; all others were done at their first attempt.",
    ko: "책임: 작업자를 죽인 항목에만 책임을 물었습니다. 다른 항목은 모두 첫 시도에 끝났습니다.",
};
pub const DEAD_LETTER: Text = Text {
    en: "Dead letter: that item is dead after 3 attempts, with a cause and another process for each.",
    ko: "데드 레터: 그 항목은 세 번 시도한 뒤 dead가 되었고, 시도마다 원인과 서로 다른 프로세스가 기록되었습니다.",
};
pub const AGAIN: Text = Text {
    en: "An innocent item whose worker was killed from outside ran again, and was done at attempt 2.",
    ko: "밖에서 작업자를 강제로 끝낸 경우, 죄 없는 항목은 다시 실행되어 두 번째 시도에 끝났습니다.",
};
pub const NOTHING_LOST: Text = Text {
    en: "In that run no item was lost and none was done twice.",
    ko: "그 실행에서 사라진 항목도, 두 번 끝난 항목도 없습니다.",
};
pub const RETRY: Text = Text {
    en: "Retry: a command that failed at its first attempt was done at its second.",
    ko: "재시도: 첫 시도에 실패한 명령이 두 번째 시도에 성공했습니다.",
};

pub const POISON: Text = Text {
    en: "1. Twelve items for two workers. Item {poison} makes its worker crash (SEGV), whoever gets it:",
    ko: "1. 작업자 2개가 항목 12개를 처리합니다. 항목 {poison}은(는) 누가 받든 작업자를 죽입니다(SEGV):",
};
pub const DIED: Text = Text {
    en: "worker {worker} (pid {pid}) died: {exit}, at item {item}; items that only waited there: {waiting}",
    ko: "작업자 {worker} (pid {pid})이(가) 죽음: {exit}, 항목 {item}에서. 거기서 기다리기만 하던 항목: {waiting}",
};
pub const CAUSE: Text = Text {
    en: "item {item}, attempt {attempt}: pid {pid}, {exit}",
    ko: "항목 {item}, 시도 {attempt}: pid {pid}, {exit}",
};
pub const DEAD_HAS: Text =
    Text { en: "The dead item keeps all its causes:", ko: "dead 항목은 모든 원인을 간직합니다:" };
pub const OUTSIDE: Text = Text {
    en: "2. Six items that sleep. As soon as item {victim} runs, its worker is killed from outside with KILL:",
    ko: "2. 잠드는 항목 6개입니다. 항목 {victim}이(가) 실행되는 순간 그 작업자를 밖에서 KILL로 끝냅니다:",
};
pub const SETTLED: Text = Text {
    en: "item {item}: done after {attempts} attempt(s), by pid {pid}",
    ko: "항목 {item}: 시도 {attempts}번, pid {pid}에서 done",
};
pub const FLAKY: Text = Text {
    en: "3. A command that fails at its first attempt, with --retries 2:",
    ko: "3. 첫 시도에는 실패하는 명령을 --retries 2로 실행합니다:",
};
pub const POISON_DONE: Text = Text { en: "items done beside it", ko: "그 옆에서 끝난 항목" };
pub const POISON_ATTEMPTS: Text =
    Text { en: "attempts of the item that crashes", ko: "작업자를 죽이는 항목의 시도 횟수" };
pub const DEATHS: Text = Text { en: "worker processes that died", ko: "죽은 작업자 프로세스" };
pub const FLAKY_ATTEMPTS: Text = Text { en: "attempts of the command", ko: "명령의 시도 횟수" };
pub const RECORDED: Text = Text {
    en: "4. What other pools lose. Not measured now: recorded on 2026-11-27 with Python 3.11.7 and xargs 4.9.0 by \
         benches/losses.py (docs/failures.md). Eight items for two workers, and item 3 kills its own process:",
    ko: "4. 다른 풀은 무엇을 잃는가. 지금 측정한 것이 아니라 2026-11-27에 Python 3.11.7과 xargs 4.9.0으로 benches/losses.py를 \
         실행하여 기록한 것입니다(docs/failures.md). 작업자 2개, 항목 8개이고, 항목 3이 자신의 프로세스를 강제로 끝냅니다:",
};
pub const RECORDED_POOL: Text = Text {
    en: "multiprocessing.Pool: 7 of 8 done; item 3 is lost without an error, and whoever waits for it waits for ever",
    ko: "multiprocessing.Pool: 8개 중 7개 완료. 항목 3은 오류도 없이 사라지고, 그것을 기다리는 쪽은 영원히 기다립니다",
};
pub const RECORDED_EXECUTOR: Text = Text {
    en: "ProcessPoolExecutor: 3 of 8 done; BrokenProcessPool for the other 5, and the pool is unusable from then on",
    ko: "ProcessPoolExecutor: 8개 중 3개 완료. 나머지 5개는 BrokenProcessPool이 되고, 그 뒤로 풀을 쓸 수 없습니다",
};
pub const RECORDED_XARGS: Text = Text {
    en: "xargs -P2: 4 of 8 done; it stops and exits with 125",
    ko: "xargs -P2: 8개 중 4개 완료. 멈추고 종료 코드 125로 끝납니다",
};

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "A worker crashes", ko: "작업자가 죽으면" },
    summary: Text {
        en: "blame, retry and the dead letter; and what other pools lose",
        ko: "책임, 재시도, 데드 레터, 그리고 다른 풀이 잃는 것",
    },
    does: &[Text {
        en: "Workers die in three ways: by an item that crashes each worker it meets, by a KILL from outside under an innocent \
             item, and as a command that fails once. The lesson follows what becomes of the items.",
        ko: "작업자가 세 가지로 죽거나 실패합니다. 만나는 작업자마다 죽이는 항목, 죄 없는 항목을 처리하던 중 밖에서 온 KILL, 한 번 \
             실패하는 명령입니다. 항목들이 어떻게 되는지 따라가 봅니다.",
    }],
    notice: &[
        Text {
            en: "Before each item a worker writes its number into a page that it shares with the supervisor. So the supervisor \
                 knows at a death which item was running, and charges that one only.",
            ko: "작업자는 항목을 시작하기 전에 그 번호를 supervisor와 공유하는 페이지에 적습니다. 그래서 supervisor는 작업자가 죽었을 때 \
                 어느 항목이 실행 중이었는지 알고, 그 항목에만 책임을 묻습니다.",
        },
        Text {
            en: "An item that kills workers must not be tried for ever: the crash limit makes it dead, with all its causes, and \
                 the others go on. That is what a dead letter is.",
            ko: "작업자를 죽이는 항목을 끝없이 다시 시도할 수는 없습니다. 죽음 한도(crash limit)에 이르면 모든 원인과 함께 dead가 되고, \
                 나머지는 계속됩니다. 이것이 데드 레터입니다.",
        },
        Text {
            en: "To run an item again is to run it at least once, perhaps twice: a worker may have done its work just before it \
                 died. Make items that bear it.",
            ko: "다시 실행한다는 것은 적어도 한 번, 어쩌면 두 번 실행한다는 뜻입니다. 작업자가 일을 마친 직후에 죽었을 수도 있기 \
                 때문입니다. 두 번 실행해도 괜찮은 항목으로 만드십시오.",
        },
    ],
    claims: &[BLAME, DEAD_LETTER, AGAIN, NOTHING_LOST, RETRY],
    commands: &[
        Hint {
            command: "supervisor -j 2 --task signal --output json ::: 17 11 17 17",
            why: Text {
                en: "The causes of a dead item, as JSON:", ko: "dead 항목의 원인을 JSON으로 봅니다:"
            },
        },
        Hint {
            command: "supervisor -v --retries 3 --retry-delay 200ms -- sh -c 'test $SUPERVISOR_ATTEMPT -ge 3' ::: a",
            why: Text {
                en: "A command that needs three attempts, each after a longer wait:",
                ko: "세 번 시도해야 성공하는 명령입니다. 시도할 때마다 더 오래 기다립니다:",
            },
        },
        Hint {
            command: "supervisor --workers 2 --items 20 --delay 300ms",
            why: Text {
                en: "Start it, kill its workers from another terminal, and watch:",
                ko: "시작한 뒤 다른 터미널에서 작업자를 죽이면서 지켜보십시오:",
            },
        },
    ],
};
