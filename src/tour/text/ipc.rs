//! The words of the lesson `ipc`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const LOST: Text = Text {
    en: "Of common signals that came while one was pending, one was delivered; the others are lost.",
    ko: "같은 신호가 처리되기 전에 여러 번 오면 하나만 전달되고 나머지는 사라졌습니다.",
};
pub const QUEUED: Text = Text {
    en: "Real-time signals queue: each was delivered, in order, with its number.",
    ko: "실시간 신호는 줄을 섭니다. 모두 순서대로, 번호와 함께 전달되었습니다.",
};
pub const PIPE_MERGES: Text = Text {
    en: "A pipe is a stream of bytes: two writes were read as one.",
    ko: "파이프는 바이트의 흐름입니다. 두 번 쓴 것이 한 번에 읽혔습니다.",
};
pub const QUEUE_KEEPS: Text = Text {
    en: "A message queue keeps messages apart: two sends were received as two.",
    ko: "메시지 큐는 메시지를 구분합니다. 두 번 보낸 것을 두 번에 받았습니다.",
};
pub const ECHOED: Text = Text {
    en: "Over pipe, socket, message queue, file and shared memory every message came back unchanged.",
    ko: "파이프, 소켓, 메시지 큐, 파일, 공유 메모리 모두에서 메시지가 하나도 바뀌지 않고 돌아왔습니다.",
};
pub const TRANSPORTS: Text = Text {
    en: "Over each transport of supervisor, ipc-channel among them, every item came back done.",
    ko: "ipc-channel을 포함해 supervisor의 모든 전송 방식에서 모든 항목이 done으로 돌아왔습니다.",
};
pub const BATCHED: Text = Text {
    en: "In a batch an item takes less than a tenth of the system calls that it takes alone.",
    ko: "묶음(batch)으로 보내면 항목 하나에 드는 시스템 호출이 하나씩 보낼 때의 10분의 1도 되지 않습니다.",
};
pub const KILLED: Text = Text {
    en: "A worker was killed in the middle of a batch: no result was missing, and none came twice.",
    ko: "묶음을 처리하던 작업자를 강제로 끝냈지만, 빠진 결과도 두 번 나온 결과도 없었습니다.",
};
pub const NO_MECHANISM: Text =
    Text { en: "no mechanism could be measured here", ko: "여기서는 어떤 방법도 측정할 수 없습니다" };
pub const NO_COUNTS: Text =
    Text { en: "system calls cannot be counted here", ko: "여기서는 시스템 호출을 셀 수 없습니다" };
pub const NO_QUEUES: Text = Text {
    en: "the system gives no message queue here",
    ko: "이 시스템에서는 메시지 큐를 만들 수 없습니다",
};

pub const SIGNALS: Text = Text {
    en: "1. Signals. A process holds back USR1 and the first real-time signal, and is sent {count} of each. Then it takes \
         what is there:",
    ko: "1. 신호. 프로세스가 USR1과 첫 실시간 신호를 보류해 두고, 각각 {count}번씩 받습니다. 그다음 도착한 것을 꺼냅니다:",
};
pub const TAKEN: Text = Text { en: "taken: {signals}", ko: "꺼낸 것: {signals}" };
pub const COMMON_TAKEN: Text =
    Text { en: "USR1 delivered, of {count} sent", ko: "{count}번 보낸 USR1 가운데 전달된 것" };
pub const REAL_TIME_TAKEN: Text = Text {
    en: "real-time signals delivered, of {count} sent",
    ko: "{count}번 보낸 실시간 신호 가운데 전달된 것",
};
pub const BOUNDARIES: Text = Text {
    en: "2. Streams and messages. \"ab\" and then \"cd\" are written before anybody reads:",
    ko: "2. 흐름과 메시지. 아무도 읽지 않은 상태에서 \"ab\"를 쓰고 이어서 \"cd\"를 씁니다:",
};
pub const FROM_PIPE: Text = Text { en: "one read of the pipe", ko: "파이프를 한 번 읽은 것" };
pub const FROM_QUEUE: Text =
    Text { en: "one receive of the message queue", ko: "메시지 큐에서 한 번 받은 것" };
pub const ROUND_TRIPS: Text = Text {
    en: "3. Round trips. A process sends back what it gets. {count} messages of {bytes} bytes, one at a time; the median:",
    ko: "3. 왕복. 프로세스가 받은 것을 그대로 돌려보냅니다. {bytes}바이트 메시지 {count}개를 하나씩 보내고 받은 중앙값입니다:",
};
pub const MEANS: [Text; 5] = [
    Text {
        en: "pipe: two descriptors, one for each way; the kernel wakes the reader",
        ko: "파이프: 방향마다 디스크립터 하나. 읽는 쪽을 커널이 깨움",
    },
    Text { en: "socket: one descriptor for both ways", ko: "소켓: 디스크립터 하나로 양방향" },
    Text {
        en: "message queue: keeps messages apart and sorts them by priority; few and small ones",
        ko: "메시지 큐: 메시지를 구분하고 우선순위로 정렬. 개수와 크기가 작음",
    },
    Text {
        en: "file: stays when both have ended; nobody wakes the reader, so it looks again and again",
        ko: "파일: 둘 다 끝나도 남음. 읽는 쪽을 깨워 주지 않으므로 계속 다시 확인함",
    },
    Text {
        en: "shared memory: no copy and no system call; nobody wakes the reader either",
        ko: "공유 메모리: 복사도 시스템 호출도 없음. 역시 읽는 쪽을 깨워 주지 않음",
    },
];
pub const OVER_TRANSPORTS: Text = Text {
    en: "4. The same means as transports of supervisor, ipc-channel among them, and a thread for contrast. This is a \
         short supervisor compare, of a few seconds: numbers go to one worker, their squares come back. First one item \
         at a time. Of a round trip: microseconds; system calls and context switches of both sides; and how often the \
         bytes of an item are copied, there and back, by design:",
    ko: "4. 같은 방법을 supervisor의 전송 방식으로 씁니다. ipc-channel도 있고, 견주어 볼 스레드도 있습니다. 몇 초 걸리는 짧은 \
         supervisor compare입니다. 작업자 하나에 수를 보내면 그 제곱이 돌아옵니다. 먼저 항목을 하나씩 보냅니다. 왕복 한 번에 걸린 \
         마이크로초, 양쪽의 시스템 호출과 문맥 전환 횟수, 그리고 설계상 항목의 바이트를 가는 길과 오는 길에 복사하는 횟수입니다:",
};
pub const TRIP_HEAD: [Text; 4] = [
    Text { en: "µs", ko: "µs" },
    Text { en: "calls", ko: "호출" },
    Text { en: "switches", ko: "전환" },
    Text { en: "copies", ko: "복사" },
];
pub const IN_BATCHES: Text = Text {
    en: "Then in batches: items a second, and the system calls of both sides for an item. At last a worker is killed \
         in the middle of a batch: how many items ran again although they were finished:",
    ko: "다음은 묶음(batch)으로 보냅니다. 초당 항목 수와, 항목 하나에 드는 양쪽의 시스템 호출 횟수입니다. 마지막으로 묶음을 처리하던 \
         작업자를 강제로 끝냅니다. 이미 끝났는데도 다시 실행된 항목의 수입니다:",
};
pub const BATCH_HEAD: [Text; 3] =
    [Text { en: "items/s", ko: "항목/초" }, Text { en: "calls", ko: "호출" }, Text { en: "ran again", ko: "재실행" }];
pub const NOT_COUNTED: Text =
    Text { en: "system calls are not counted: {why}", ko: "시스템 호출을 세지 못함: {why}" };
pub const NOT_HERE: Text = Text { en: "{name}: not here: {why}", ko: "{name}: 여기서는 쓸 수 없음: {why}" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "How processes talk to each other", ko: "프로세스끼리 대화하는 방법" },
    summary: Text {
        en: "signal, pipe, socket, message queue, file, shared memory, ipc-channel",
        ko: "신호, 파이프, 소켓, 메시지 큐, 파일, 공유 메모리, ipc-channel",
    },
    does: &[Text {
        en: "Processes share nothing, so whatever they say goes through the kernel or through something that both have opened. \
             The lesson sends real messages by each means, shows what gets lost or merged, and measures what an answer \
             costs: time, system calls, context switches. At last it kills a worker under each.",
        ko: "프로세스는 아무것도 공유하지 않으므로, 주고받는 말은 커널이나 둘 다 열어 둔 무언가를 거칩니다. 이 수업은 방법마다 실제로 \
             메시지를 보내 무엇이 사라지고 무엇이 합쳐지는지 보여 주고, 대답 하나에 드는 시간, 시스템 호출, 문맥 전환을 잽니다. \
             끝으로 방법마다 작업자를 강제로 끝내 봅니다.",
    }],
    notice: &[
        Text {
            en: "A signal says that something happened, not how often. It is good for \"stop\" and bad for counting; a real-time \
                 signal counts, and carries one number.",
            ko: "신호는 무언가 일어났다는 것만 알릴 뿐 몇 번인지는 알리지 않습니다. '멈춰라'에는 좋지만 세는 데는 맞지 않습니다. 실시간 \
                 신호는 셀 수 있고 수 하나를 실어 나릅니다.",
        },
        Text {
            en: "Over a stream somebody has to say where a message ends: a newline, or a length in front. The frames of supervisor \
                 have a length, and it is checked before memory is taken for it.",
            ko: "흐름에서는 메시지가 어디에서 끝나는지 정해야 합니다. 줄바꿈이나 앞에 붙인 길이를 씁니다. supervisor의 프레임에는 길이가 \
                 있고, 메모리를 잡기 전에 그 길이를 검사합니다.",
        },
        Text {
            en: "The round trip of a small message is mostly two wake-ups, not the copying. What looks again and again saves them \
                 and burns a core.",
            ko: "작은 메시지의 왕복 시간은 복사가 아니라 대부분 두 번 깨우는 데 듭니다. 계속 다시 확인하는 방식은 그것을 아끼는 대신 코어 \
                 하나를 태웁니다.",
        },
        Text {
            en: "A KILL loses what is in the memory of the worker. Results in memory that is shared outlive it; over \
                 the other transports the finished items whose results were not sent yet run again. That is why the \
                 handler of an item should bear to run twice.",
            ko: "강제 종료(KILL)는 작업자의 메모리에 있던 것을 없앱니다. 공유 메모리에 쓴 결과는 남지만, 다른 전송 방식에서는 끝났어도 \
                 아직 결과를 보내지 않은 항목이 다시 실행됩니다. 그래서 항목을 처리하는 코드는 두 번 실행되어도 괜찮아야 합니다.",
        },
        Text {
            en: "So the means matters less than how many messages there are. supervisor sends items in batches, and then each \
                 transport takes tens of millions a second (docs/performance.md).",
            ko: "그래서 방법보다 메시지의 수가 더 중요합니다. supervisor는 항목을 묶음(batch)으로 보내며, 그러면 어느 전송 방식이든 초당 \
                 수천만 항목을 처리합니다(docs/performance.md).",
        },
    ],
    claims: &[LOST, QUEUED, PIPE_MERGES, QUEUE_KEEPS, ECHOED, TRANSPORTS, BATCHED, KILLED],
    commands: &[
        Hint {
            command: "supervisor compare",
            why: Text {
                en: "The comparison with more rounds, and with the spread of its numbers:",
                ko: "더 여러 번 재고, 측정값이 얼마나 흩어지는지도 보여 주는 비교입니다:",
            },
        },
        Hint {
            command: "supervisor -w 2 --items 1000000 --transport socket --output none --summary always",
            why: Text {
                en: "A million items over one of the transports, in batches:",
                ko: "항목 백만 개를 전송 방식 하나로, 묶음으로 보냅니다:",
            },
        },
        Hint {
            command: "supervisor -w 1 --items 10000 --credit 1 --transport shm --spin 50us --output none --summary always",
            why: Text {
                en: "One at a time over shared memory that is looked at again and again:",
                ko: "계속 다시 확인하는 공유 메모리로 하나씩 보냅니다:",
            },
        },
        Hint {
            command: "strace -f -e trace=read,write supervisor -w 1 --items 2 --transport pipe",
            why: Text {
                en: "Every message between two processes:", ko: "두 프로세스 사이의 모든 메시지를 봅니다:"
            },
        },
    ],
};
