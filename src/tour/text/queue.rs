//! The words of the lesson `queue`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const EACH_ONCE: Text = Text {
    en: "Threads: each of the 20 items was taken by exactly one worker.",
    ko: "스레드: 항목 20개를 각각 정확히 한 작업자만 가져갔습니다.",
};
pub const JOIN_IS_LAST: Text = Text {
    en: "Threads: join returned only after task_done had been called 20 times.",
    ko: "스레드: join은 task_done이 20번 호출된 다음에야 반환되었습니다.",
};
pub const SENTINELS: Text = Text {
    en: "Threads: each of the 5 workers took exactly one sentinel and left.",
    ko: "스레드: 작업자 5개가 각각 종료 표시를 정확히 하나씩 받고 끝났습니다.",
};
pub const EACH_ONCE_OF_PROCESSES: Text = Text {
    en: "Processes: each of the 20 items was taken by exactly one worker.",
    ko: "프로세스: 항목 20개를 각각 정확히 한 작업자만 가져갔습니다.",
};
pub const SENTINELS_OF_PROCESSES: Text = Text {
    en: "Processes: each of the 5 workers took exactly one sentinel and exited with 0.",
    ko: "프로세스: 작업자 5개가 각각 종료 표시를 정확히 하나씩 받고 종료 코드 0으로 끝났습니다.",
};
pub const ONE_COMMAND: Text = Text {
    en: "The one command settled all 20 items as done, with 5 worker processes.",
    ko: "명령 하나가 작업자 프로세스 5개로 항목 20개를 모두 done으로 끝냈습니다.",
};

pub const THREADS: Text = Text {
    en: "First with threads. The queue is a list behind a lock; a worker that finds it empty sleeps until put wakes it.",
    ko: "먼저 스레드입니다. 큐는 잠금으로 보호하는 목록이고, 큐가 비어 있으면 작업자는 put이 깨울 때까지 잠듭니다.",
};
pub const PROCESSES: Text = Text {
    en: "Now with processes. They share no memory, so the queue is a packet socket that all 5 inherit: the kernel gives \
         each packet to one reader. Their task_done comes back through one pipe.",
    ko: "이번에는 프로세스입니다. 메모리를 공유하지 않으므로, 다섯 프로세스가 물려받은 패킷 소켓을 큐로 씁니다. 커널은 패킷 \
         하나를 한 프로세스에만 전달합니다. task_done은 파이프 하나로 돌아옵니다.",
};
pub const WORKER: Text = Text {
    en: "worker {worker}: get {items}, then the sentinel",
    ko: "작업자 {worker}: get {items}, 그다음 종료 표시",
};
pub const WORKER_PROCESS: Text = Text {
    en: "worker {worker} (pid {pid}): get {items}, then the sentinel",
    ko: "작업자 {worker} (pid {pid}): get {items}, 그다음 종료 표시",
};
pub const PUT: Text = Text {
    en: "put {items} items and {sentinels} sentinels",
    ko: "put: 항목 {items}개와 종료 표시 {sentinels}개",
};
pub const TASK_DONE: Text = Text { en: "calls of task_done", ko: "task_done 호출 횟수" };
pub const JOIN_WAITED: Text = Text { en: "join waited", ko: "join이 기다린 시간" };
pub const BY_COMMAND: Text = Text {
    en: "The same by one command. There is no sentinel and no task_done to forget: the end of the input and the result \
         of an item are what they stand for.",
    ko: "같은 일을 명령 하나로 해 봅니다. 종료 표시나 task_done을 빠뜨릴 일이 없습니다. 입력의 끝과 항목의 결과가 그 역할을 \
         대신합니다.",
};
pub const DONE_BY_COMMAND: Text = Text { en: "items done by the command", ko: "명령이 끝낸 항목" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "A queue between workers", ko: "작업자 사이의 큐" },
    summary: Text {
        en: "put, get, the sentinel, task_done and join, with threads and with processes",
        ko: "스레드와 프로세스로 보는 put, get, 종료 표시, task_done, join",
    },
    does: &[
        Text {
            en: "Five workers take 20 items from one queue. The producer puts the items, and behind them one sentinel for \
                 each worker: a worker that gets a sentinel leaves. After each item a worker calls task_done, and join \
                 waits until there were as many calls as items.",
            ko: "작업자 5개가 큐 하나에서 항목 20개를 가져갑니다. 생산자는 항목을 모두 넣은 뒤 작업자마다 종료 \
                 표시(sentinel)를 하나씩 넣고, 종료 표시를 받은 작업자는 끝납니다. 작업자는 항목을 처리할 때마다 task_done을 \
                 호출하고, join은 그 횟수가 항목 수와 같아질 때까지 기다립니다.",
        },
        Text {
            en: "This is done three times: with threads, with processes, and by one command of supervisor.",
            ko: "이 일을 스레드로, 프로세스로, 그리고 supervisor 명령 하나로 모두 세 번 합니다.",
        },
    ],
    notice: &[
        Text {
            en: "Nobody assigns items to workers. Whoever is free takes the next one, so a slow item delays one worker only.",
            ko: "누구도 항목을 작업자에게 배정하지 않습니다. 손이 빈 작업자가 다음 항목을 가져가므로, 느린 항목은 한 작업자만 \
                 지연시킵니다.",
        },
        Text {
            en: "One sentinel too few, and a worker waits for ever; one task_done too few, and join does.",
            ko: "종료 표시가 하나 모자라면 작업자 하나가 영원히 기다리고, task_done이 한 번 모자라면 join이 영원히 기다립니다.",
        },
        Text {
            en: "A worker that dies between get and task_done takes its item with it: the queue has forgotten the item, and \
                 join never returns. A supervisor keeps the item until its result is there (lesson crash).",
            ko: "get과 task_done 사이에서 작업자가 죽으면 그 항목도 함께 사라집니다. 큐는 항목을 이미 잊었고 join은 반환되지 \
                 않습니다. supervisor는 결과가 도착할 때까지 항목을 보관합니다(crash 수업).",
        },
    ],
    claims: &[EACH_ONCE, JOIN_IS_LAST, SENTINELS, EACH_ONCE_OF_PROCESSES, SENTINELS_OF_PROCESSES, ONE_COMMAND],
    commands: &[
        Hint {
            command: "supervisor --workers 5 --items 20 --delay 200ms",
            why: Text {
                en: "The same with slow items, to watch who takes what:",
                ko: "느린 항목으로 같은 일을 하면서 누가 무엇을 가져가는지 볼 수 있습니다:",
            },
        },
        Hint {
            command: "seq 20 | supervisor --workers 5 --keep-order -- echo item {}",
            why: Text {
                en: "A queue that any program fills, and a command for each item:",
                ko: "어떤 프로그램이든 큐를 채울 수 있고, 항목마다 명령 하나를 실행합니다:",
            },
        },
    ],
};
