//! The words of the lesson `concurrency`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const WAITING_OVERLAPS: Text = Text {
    en: "Waiting: four waits at once took less than 60 % of the time of four in turn, in threads and in processes.",
    ko: "기다리기: 네 번을 동시에 기다리면 차례로 기다릴 때의 60%도 걸리지 않았습니다. 스레드에서도 프로세스에서도 그렇습니다.",
};
pub const PARALLEL_THREADS: Text = Text {
    en: "Computing: two threads were on two cores at the same moment.",
    ko: "계산하기: 두 스레드가 같은 순간에 두 코어에서 실행되었습니다.",
};
pub const PARALLEL_PROCESSES: Text = Text {
    en: "Computing: two processes were on two cores at the same moment.",
    ko: "계산하기: 두 프로세스가 같은 순간에 두 코어에서 실행되었습니다.",
};
pub const ONE_LOCK: Text = Text {
    en: "Computing under one lock: at no moment did both threads compute.",
    ko: "잠금 하나 아래에서 계산하기: 두 스레드가 함께 계산한 순간이 한 번도 없었습니다.",
};
pub const DATA: Text = Text {
    en: "Data parallelism: the squares of both halves add up to those of the whole.",
    ko: "데이터 병렬: 두 절반의 제곱을 더하면 전체의 제곱의 합과 같습니다.",
};
pub const ONE_CORE: Text = Text {
    en: "this process may use one core only",
    ko: "이 프로세스가 쓸 수 있는 코어가 하나뿐입니다",
};
pub const TOO_BUSY: Text = Text {
    en: "the machine was too busy to give two of them a core each; run it again",
    ko: "컴퓨터가 너무 바빠서 둘에게 코어를 하나씩 주지 못했습니다. 다시 실행해 보십시오",
};

pub const CORES: Text = Text { en: "cores that this process may use", ko: "이 프로세스가 쓸 수 있는 코어" };
pub const WAITING: Text = Text {
    en: "1. Waiting. Four waits of {wait} ms. A row is a worker, from left to right is time, # is a wait:",
    ko: "1. 기다리기. {wait} ms짜리 대기 네 번입니다. 줄은 작업자, 왼쪽에서 오른쪽은 시간, #은 대기입니다:",
};
pub const COMPUTING: Text = Text {
    en: "2. Computing. Squares of {numbers} numbers (0 to 999, over and over) in {blocks} blocks, half of them for each of \
         two workers. # is a block of work:",
    ko: "2. 계산하기. 수 {numbers}개(0부터 999까지 되풀이)의 제곱을 블록 {blocks}개로 나누어 두 작업자가 절반씩 계산합니다. #은 \
         계산 중인 블록입니다:",
};
pub const IN_TURN: Text = Text { en: "one after another: {ms} ms", ko: "차례로: {ms} ms" };
pub const IN_THREADS: Text = Text { en: "in threads: {ms} ms", ko: "스레드에서: {ms} ms" };
pub const UNDER_A_LOCK: Text = Text {
    en: "in threads, one lock around each block: {ms} ms",
    ko: "스레드에서, 블록마다 잠금 하나를 잡고: {ms} ms",
};
pub const IN_PROCESSES: Text = Text { en: "in processes: {ms} ms", ko: "프로세스에서: {ms} ms" };
pub const WAIT_IN_TURN: Text = Text { en: "waiting, one after another", ko: "차례로 기다린 시간" };
pub const WAIT_IN_THREADS: Text = Text { en: "waiting, in threads", ko: "스레드에서 기다린 시간" };
pub const WAIT_IN_PROCESSES: Text = Text { en: "waiting, in processes", ko: "프로세스에서 기다린 시간" };
pub const OVERLAP_OF_THREADS: Text =
    Text { en: "both threads on a core at once", ko: "두 스레드가 동시에 코어에 있던 시간" };
pub const OVERLAP_UNDER_A_LOCK: Text =
    Text { en: "the same, under one lock", ko: "잠금 하나 아래에서 동시에 코어에 있던 시간" };
pub const OVERLAP_OF_PROCESSES: Text =
    Text { en: "both processes on a core at once", ko: "두 프로세스가 동시에 코어에 있던 시간" };
pub const KINDS: Text = Text {
    en: "3. Two ways to divide work. Data parallelism: both workers square, each its half of the numbers. Task parallelism: \
         one squares and the other one cubes the same numbers:",
    ko: "3. 일을 나누는 두 가지 방법입니다. 데이터 병렬은 두 작업자가 수의 절반씩을 맡아 모두 제곱합니다. 작업 병렬은 같은 수를 두고 \
         하나는 제곱하고 다른 하나는 세제곱합니다:",
};
pub const SUM_OF_HALVES: Text = Text { en: "sum of squares, half and half", ko: "절반씩 계산한 제곱의 합" };
pub const SUM_OF_WHOLE: Text =
    Text { en: "sum of squares, one worker", ko: "한 작업자가 계산한 제곱의 합" };
pub const SUM_OF_CUBES: Text = Text { en: "sum of cubes, beside it", ko: "그 옆에서 계산한 세제곱의 합" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "Concurrency and parallelism", ko: "동시성과 병렬성" },
    summary: Text {
        en: "squares and cubes, waiting and computing, in turn, in threads, in processes: timelines",
        ko: "제곱과 세제곱, 기다리기와 계산하기를 차례로, 스레드로, 프로세스로: 시간표로 보기",
    },
    does: &[
        Text {
            en: "Four waits, then a computation in many small blocks, are done one after another, in threads and in processes. \
                 Each worker notes when it was at what, and from these notes a timeline is drawn.",
            ko: "대기 네 번과, 잘게 나눈 계산을 차례로, 스레드로, 프로세스로 해 봅니다. 작업자마다 언제 무엇을 했는지 기록하고, 그 \
                 기록으로 시간표를 그립니다.",
        },
        Text {
            en: "A block counts as parallel only if its clock time is its processor time: then it was on a core throughout. Two \
                 such blocks that overlap were on two cores at once.",
            ko: "걸린 시간과 프로세서 시간이 같은 블록만 병렬로 셉니다. 그런 블록은 내내 코어에서 실행된 것입니다. 그런 블록 둘이 \
                 겹치면 같은 순간에 두 코어에서 실행된 것입니다.",
        },
    ],
    notice: &[
        Text {
            en: "Concurrency is to have several things begun; parallelism is to have several go on at the same moment. One core \
                 is enough for the first.",
            ko: "동시성은 여러 일을 벌여 놓은 것이고, 병렬성은 여러 일이 같은 순간에 진행되는 것입니다. 동시성에는 코어 하나로 \
                 충분합니다.",
        },
        Text {
            en: "Waiting overlaps even on one core and under a lock that is given back while waiting. So threads suit work that \
                 waits: for the network, a disk, a person.",
            ko: "기다리기는 코어가 하나여도, 기다리는 동안 놓아주는 잠금 아래에서도 겹칩니다. 그래서 네트워크, 디스크, 사람을 기다리는 \
                 일에는 스레드가 알맞습니다.",
        },
        Text {
            en: "One lock around everything, such as the global interpreter lock (GIL) of Python, leaves threads the waiting \
                 and takes away the computing. Processes have no lock in common.",
            ko: "파이썬의 전역 인터프리터 잠금(GIL)처럼 모든 것을 감싸는 잠금 하나는 스레드에 기다리기만 남기고 병렬 계산을 빼앗습니다. \
                 프로세스 사이에는 공유하는 잠금이 없습니다.",
        },
        Text {
            en: "Data parallelism grows with the data, task parallelism only with the number of different tasks. supervisor is \
                 for the first: one task, many items.",
            ko: "데이터 병렬은 데이터와 함께 커지지만, 작업 병렬은 서로 다른 작업의 수만큼만 커집니다. supervisor는 데이터 병렬을 위한 \
                 것입니다. 작업은 하나, 항목은 많습니다.",
        },
    ],
    claims: &[WAITING_OVERLAPS, PARALLEL_THREADS, ONE_LOCK, PARALLEL_PROCESSES, DATA],
    commands: &[
        Hint {
            command: "supervisor -w 4 --items 4 --delay 500ms",
            why: Text {
                en: "Four waits at once; with -w 1 in turn:",
                ko: "네 번을 동시에 기다립니다. -w 1이면 차례로 기다립니다:",
            },
        },
        Hint {
            command: "seq 1000000 | supervisor -w 2 -a - --task square --summary always | tail -1",
            why: Text {
                en: "A million squares in two processes, with the time:",
                ko: "두 프로세스로 백만 개의 제곱을 계산하고 시간을 봅니다:",
            },
        },
    ],
};
