// Threads of generated C++ programs: members of a team take the same steps, each over its own
// instances, and meet where one reads what another wrote.
//
// POSIX threads, not <thread>: few headers, quick to compile, nothing of C++'s own library. What
// a member computes does not depend on how many there are, so results have the same bits for
// any number.
#ifndef LEMSMITH_TEAM_H
#define LEMSMITH_TEAM_H

#include <pthread.h>
#include <signal.h>

#include "lemsmith_phases.h"

enum { LS_MOST_MEMBERS = 256 };

// How often a member looks before it sleeps: some microseconds at most, fewer each time that it
// was in vain, so that a busy machine's cores are left to others.
enum { LS_MOST_PATIENCE = 4096, LS_LEAST_PATIENCE = 16 };

// What a program tells the team about itself; `context` is handed on to its functions.
struct LsWork {
    void *context;
    int64_t populations;
    void (*share)(void *context, LsPhases &s, int64_t count);   // sets from and to
    bool (*owns)(void *context, const LsPhases &s, int64_t ring, int64_t item);
    int64_t (*steps)(void *context, LsPhases &s);               // returns how many were taken
};

struct LsTeam {
    int64_t count, made;                       // members at work, threads made beside the caller's
    LsPhases *members[LS_MOST_MEMBERS];
    int64_t taken[LS_MOST_MEMBERS];
    pthread_t threads[LS_MOST_MEMBERS];
    pthread_mutex_t mutex;
    pthread_cond_t begin, met, end;
    int64_t job, working;
    bool quit;
    const LsWork *work;
    // Meetings. Who comes last opens the next round; `stops` are verdicts of even and odd ones.
    alignas(64) int64_t arrived;
    alignas(64) int64_t round;
    alignas(64) int64_t asleep;
    int64_t stop, stops[2];
};

static inline void ls_pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

// Wait for all members; tells whether one of them asked to stop.
static inline bool ls_meet(LsPhases &s) {
    if (!s.team || s.team->count == 1) return s.error != LS_OK;
    LsTeam &team = *s.team;
    const int64_t round = __atomic_load_n(&team.round, __ATOMIC_ACQUIRE);
    if (s.error != LS_OK) __atomic_store_n(&team.stop, 1, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&team.arrived, 1, __ATOMIC_ACQ_REL) == team.count) {
        __atomic_store_n(&team.arrived, 0, __ATOMIC_RELAXED);
        team.stops[round & 1] = __atomic_load_n(&team.stop, __ATOMIC_RELAXED);
        __atomic_store_n(&team.round, round + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&team.asleep, __ATOMIC_SEQ_CST)) {
            pthread_mutex_lock(&team.mutex);
            pthread_cond_broadcast(&team.met);
            pthread_mutex_unlock(&team.mutex);
        }
        return team.stops[round & 1];
    }
    for (int64_t k = 0; k < s.patience; k++) {
        if (__atomic_load_n(&team.round, __ATOMIC_ACQUIRE) != round) {
            if (s.patience < LS_MOST_PATIENCE) s.patience *= 2;
            return team.stops[round & 1];
        }
        ls_pause();
    }
    if (s.patience > LS_LEAST_PATIENCE) s.patience /= 2;
    pthread_mutex_lock(&team.mutex);
    __atomic_add_fetch(&team.asleep, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&team.round, __ATOMIC_SEQ_CST) == round)
        pthread_cond_wait(&team.met, &team.mutex);
    __atomic_sub_fetch(&team.asleep, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&team.mutex);
    return team.stops[round & 1];
}

// After an error: wait until all know. Returns `step`, where this member stopped.
static inline int64_t ls_leave(LsPhases &s, int64_t step) {
    ls_meet(s);
    return step;
}

// --- who has what ------------------------------------------------------------------------------

// Give member `rank` of `count` its block of `n` instances. Blocks begin at whole vectors and,
// where there are many, at whole cache lines of flags.
static inline void ls_share(LsPhases &s, int64_t population, int64_t n, int64_t count) {
    const int64_t unit = n >= 1024 * count ? 64 : n >= 64 * count ? 16 : n >= 16 * count ? 8 : 1;
    const int64_t units = (n + unit - 1) / unit;
    const int64_t from = units * s.rank / count * unit, to = units * (s.rank + 1) / count * unit;
    s.from[population] = from < n ? from : n;
    s.to[population] = to < n ? to : n;
}

// The first of items `from` to `to`, in order, that is not below `bound`.
template <typename Index>
static inline int64_t ls_first(const Index *items, int64_t from, int64_t to, int64_t bound) {
    while (from < to) {
        const int64_t middle = from + (to - from) / 2;
        if ((int64_t)items[middle] < bound) from = middle + 1;
        else to = middle;
    }
    return from;
}

// Tell whether an instance is a member's own.
static inline bool ls_mine(const LsPhases &s, int64_t population, int64_t i) {
    return i >= s.from[population] && i < s.to[population];
}

// The connections of a source that reach a member's own instances; targets are in order.
struct LsRow {
    int64_t k, last;
};

template <typename Index>
static inline LsRow ls_row(const LsPhases &s, int64_t population, const int64_t *starts,
                           const Index *targets, int64_t i) {
    LsRow row = {starts[i], starts[i + 1]};
    if (s.team && s.team->count > 1) {
        row.k = ls_first(targets, row.k, row.last, s.from[population]);
        row.last = ls_first(targets, row.k, row.last, s.to[population]);
    }
    return row;
}

// Give a member the instances that hang below its own of population `above`.
static inline void ls_share_below(LsPhases &s, int64_t population, int64_t above,
                                  const int32_t *parent, int64_t n) {
    s.from[population] = ls_first(parent, 0, n, s.from[above]);
    s.to[population] = ls_first(parent, s.from[population], n, s.to[above]);
}

// --- events --------------------------------------------------------------------------------------

struct LsSpike {
    int32_t port, instance;
    double time;
};

static inline bool ls_after(const LsSpike &a, const LsSpike &b) {
    return a.port != b.port ? a.port > b.port : a.instance > b.instance;
}

// Put this step's events in the order of ports and instances, those of one port of one instance
// as they are: the order must not tell which member noted them. Merges the runs that kernels left.
static inline void ls_order_noted(LsPhases &s) {
    LsNoted &noted = s.noted[s.filling];
    const int64_t first = noted.seen;
    bool ordered = true;
    for (int64_t k = first + 1; k < noted.size && ordered; k++)
        ordered = noted.ports[k - 1] != noted.ports[k]
                      ? noted.ports[k - 1] < noted.ports[k]
                      : noted.instances[k - 1] <= noted.instances[k];
    const int64_t n = noted.size - first;
    if (ordered || n < 2) return;
    LsSpike *from = (LsSpike *)malloc(sizeof(LsSpike) * (size_t)(2 * n));
    if (!from) {
        s.error = LS_NO_MEMORY;
        return;
    }
    LsSpike *const room = from;
    LsSpike *to = from + n;
    for (int64_t k = 0; k < n; k++)
        from[k] = {noted.ports[first + k], noted.instances[first + k], noted.times[first + k]};
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t low = 0; low < n; low += 2 * width) {
            const int64_t middle = low + width < n ? low + width : n;
            const int64_t high = low + 2 * width < n ? low + 2 * width : n;
            int64_t a = low, b = middle;
            for (int64_t k = low; k < high; k++)
                to[k] = b == high || (a < middle && !ls_after(from[a], from[b])) ? from[a++]
                                                                                  : from[b++];
        }
        LsSpike *const swapped = from;
        from = to;
        to = swapped;
    }
    for (int64_t k = 0; k < n; k++) {
        noted.ports[first + k] = from[k].port;
        noted.instances[first + k] = from[k].instance;
        noted.times[first + k] = from[k].time;
    }
    free(room);
}

// Hand every event that the members noted since the last exchange to `send`, step by step, in
// the order of instances. All members do so, each for what reaches its own instances.
template <typename Send> static inline void ls_exchange(LsPhases &s, Send send) {
    const int64_t count = s.team ? s.team->count : 1, filled = s.filling;
    int64_t at[LS_MOST_MEMBERS];
    for (int64_t r = 0; r < count; r++) at[r] = 0;
    for (int64_t step = s.sent + 1; step <= s.step; step++)
        for (int64_t r = 0; r < count; r++) {
            const LsNoted &noted = (s.team ? *s.team->members[r] : s).noted[filled];
            for (; at[r] < noted.size && noted.steps[at[r]] == step; at[r]++)
                send(noted.ports[at[r]], noted.instances[at[r]], step);
        }
    s.sent = s.step;
    // Others may still read what was filled; the other list everybody has done with.
    s.filling = 1 - filled;
    s.noted[s.filling].size = s.noted[s.filling].seen = 0;
}

// --- members -------------------------------------------------------------------------------------

// Let `s` be member `rank`; its instances are set by the program.
static inline void ls_be_member(LsPhases &s, int64_t rank, int64_t populations) {
    s.rank = rank;
    if (!s.from) {
        s.from = (int64_t *)calloc((size_t)(2 * populations + 2), sizeof(int64_t));
        s.to = s.from ? s.from + populations + 1 : nullptr;
        if (!s.from) s.error = LS_NO_MEMORY;
    }
    s.patience = LS_MOST_PATIENCE / 4;
}

static inline void ls_move_items(LsPhases &to, int64_t ring, int64_t slot, LsRing &source) {
    LsRing &r = to.rings[ring];
    const int64_t size = r.sizes[slot] + source.sizes[slot];
    if (size > r.rooms[slot]) {
        if (!ls_grow((void **)&r.items[slot], size, sizeof(int32_t))) {
            to.error = LS_NO_MEMORY;
            return;
        }
        r.rooms[slot] = size;
    }
    if (source.sizes[slot])
        memcpy(r.items[slot] + r.sizes[slot], source.items[slot],
               sizeof(int32_t) * (size_t)source.sizes[slot]);
    r.sizes[slot] = size;
}

// Bring all that is on its way back to the first member.
static inline void ls_gather(LsTeam &team) {
    LsPhases &first = *team.members[0];
    for (int64_t n = 1; n < team.count; n++)
        for (int64_t r = 0; r < first.ring_count; r++) {
            LsRing &ring = team.members[n]->rings[r];
            for (int64_t slot = 0; slot < ring.slots; slot++) {
                if (ring.single) ls_move_items(first, r, slot, ring);
                ring.sizes[slot] = 0;
            }
        }
}

// Give all members what is on its way: sources to everybody, connections to the target's owner.
static inline void ls_spread(LsTeam &team, const LsWork &work) {
    LsPhases &first = *team.members[0];
    for (int64_t r = 0; r < first.ring_count; r++) {
        LsRing &ring = first.rings[r];
        for (int64_t slot = 0; slot < ring.slots; slot++) {
            if (!ring.single) {
                for (int64_t n = 1; n < team.count; n++)
                    ls_move_items(*team.members[n], r, slot, ring);
                continue;
            }
            int64_t kept = 0;
            for (int64_t k = 0; k < ring.sizes[slot]; k++) {
                const int32_t item = ring.items[slot][k];
                int64_t n = 0;
                while (n + 1 < team.count && !work.owns(work.context, *team.members[n], r, item))
                    n++;
                if (n == 0) ring.items[slot][kept++] = item;
                else ls_ring_push(*team.members[n], r, slot, item);
            }
            ring.sizes[slot] = kept;
        }
    }
}

static inline void *ls_member_thread(void *of);

struct LsMember {
    LsTeam *team;
    int64_t rank, job;
};

// Let the team have `count` members. Where the system gives fewer threads, so many.
static inline void ls_regroup(LsTeam &team, int64_t count, const LsWork &work) {
    LsPhases &first = *team.members[0];
    ls_gather(team);
    for (; team.made + 1 < count; team.made++) {
        const int64_t rank = team.made + 1;
        LsPhases *s = team.members[rank];
        if (!s) {
            s = team.members[rank] = (LsPhases *)calloc(1, sizeof(LsPhases));
            if (!s) break;
            const int64_t rings = first.ring_count;
            int64_t *slots = (int64_t *)malloc(sizeof(int64_t) * (size_t)(3 * rings + 1));
            if (!slots) s->error = LS_NO_MEMORY;
            for (int64_t r = 0; slots && r < rings; r++) {
                slots[r] = first.rings[r].slots;
                slots[rings + r] = first.rings[r].single;
                slots[2 * rings + r] = first.rings[r].port;
            }
            if (slots) ls_make_rings(*s, slots, slots + rings, slots + 2 * rings, rings);
            free(slots);
            if (s->error != LS_OK) {  // there is no memory for one more: go on with fewer
                ls_free_phases(*s);
                free(s);
                team.members[rank] = nullptr;
                break;
            }
            s->team = &team;
        }
        LsMember *member = (LsMember *)malloc(sizeof(LsMember));
        if (!member) break;
        *member = {&team, rank, team.job};
        // Signals are for the thread that called: Ctrl-C must reach its handler.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        const int refused = pthread_create(&team.threads[rank], nullptr, ls_member_thread, member);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        if (refused) {
            free(member);
            break;
        }
    }
    team.count = count < team.made + 1 ? count : team.made + 1;
    for (int64_t n = 0; n < team.count; n++) {
        LsPhases &s = *team.members[n];
        s.t = first.t;
        s.step = first.step;
        s.clock = first.clock;
        s.seed = first.seed;
        s.sent = first.sent;
        s.most_events = first.most_events;
        s.error = first.error;
        s.filling = 0;
        s.noted[0].size = s.noted[0].seen = 0;
        ls_be_member(s, n, work.populations);
        if (s.error == LS_OK) work.share(work.context, s, team.count);
        else first.error = s.error;
    }
    if (first.error == LS_OK) ls_spread(team, work);
}

static inline void *ls_member_thread(void *of) {
    LsMember member = *(LsMember *)of;
    free(of);
    LsTeam &team = *member.team;
    LsFlush flush;
    (void)flush;
    int64_t done = member.job;
    pthread_mutex_lock(&team.mutex);
    for (;;) {
        while (team.job == done && !team.quit) pthread_cond_wait(&team.begin, &team.mutex);
        if (team.quit) break;
        done = team.job;
        if (member.rank >= team.count) continue;
        const LsWork &work = *team.work;
        pthread_mutex_unlock(&team.mutex);
        team.taken[member.rank] = work.steps(work.context, *team.members[member.rank]);
        pthread_mutex_lock(&team.mutex);
        if (--team.working == 0) pthread_cond_signal(&team.end);
    }
    pthread_mutex_unlock(&team.mutex);
    return nullptr;
}

// Tell whether the error of `a` comes before that of `b`.
static inline bool ls_fails_first(const LsPhases &a, int64_t step_a, const LsPhases &b,
                                  int64_t step_b) {
    if (a.error == LS_OK || b.error == LS_OK) return b.error == LS_OK && a.error != LS_OK;
    if (step_a != step_b) return step_a < step_b;
    if (a.error_population != b.error_population) return a.error_population < b.error_population;
    if (a.error_variable != b.error_variable) return a.error_variable < b.error_variable;
    return a.error_instance < b.error_instance;
}

static inline LsTeam *ls_make_team(LsPhases &first) {
    void *place = nullptr;
    if (posix_memalign(&place, 64, sizeof(LsTeam))) return nullptr;
    memset(place, 0, sizeof(LsTeam));
    LsTeam *team = (LsTeam *)place;
    pthread_mutex_init(&team->mutex, nullptr);
    pthread_cond_init(&team->begin, nullptr);
    pthread_cond_init(&team->met, nullptr);
    pthread_cond_init(&team->end, nullptr);
    team->members[0] = &first;
    team->count = 1;
    return team;
}

// Take steps with `first.threads` members; returns how many were taken.
static inline int64_t ls_run_team(LsPhases &first, const LsWork &work) {
    const int64_t most = LS_MOST_MEMBERS, asked = first.threads < most ? first.threads : most;
    const int64_t wanted = asked < 1 ? 1 : asked;
    if (!first.team && wanted > 1) first.team = ls_make_team(first);
    if (first.team && first.team->count != wanted) ls_regroup(*first.team, wanted, work);
    if (!first.team || first.team->count == 1) return work.steps(work.context, first);
    LsTeam &team = *first.team;
    pthread_mutex_lock(&team.mutex);
    team.work = &work;
    team.working = team.count - 1;
    team.job++;
    pthread_cond_broadcast(&team.begin);
    pthread_mutex_unlock(&team.mutex);
    team.taken[0] = work.steps(work.context, first);
    pthread_mutex_lock(&team.mutex);
    while (team.working) pthread_cond_wait(&team.end, &team.mutex);
    pthread_mutex_unlock(&team.mutex);
    int64_t failed = 0;
    for (int64_t n = 1; n < team.count; n++) {
        LsPhases &s = *team.members[n];
        for (int64_t k = 0; k < s.event_size; k++)
            ls_record_event(first, s.event_ports[k], s.event_times[k]);
        s.event_size = 0;
        if (ls_fails_first(s, team.taken[n], *team.members[failed], team.taken[failed])) failed = n;
    }
    if (failed) {
        const LsPhases &s = *team.members[failed];
        first.t = s.t;
        first.error = s.error;
        first.error_population = s.error_population;
        first.error_variable = s.error_variable;
        first.error_instance = s.error_instance;
    }
    return team.taken[failed];
}

// Let all threads go.
static inline void ls_free_team(LsPhases &first) {
    LsTeam *team = first.team;
    if (!team) return;
    pthread_mutex_lock(&team->mutex);
    team->quit = true;
    pthread_cond_broadcast(&team->begin);
    pthread_mutex_unlock(&team->mutex);
    for (int64_t n = 1; n <= team->made; n++) pthread_join(team->threads[n], nullptr);
    for (int64_t n = 1; n < LS_MOST_MEMBERS; n++)
        if (team->members[n]) {
            ls_free_phases(*team->members[n]);
            free(team->members[n]);
        }
    pthread_cond_destroy(&team->begin);
    pthread_cond_destroy(&team->met);
    pthread_cond_destroy(&team->end);
    pthread_mutex_destroy(&team->mutex);
    free(team);
    first.team = nullptr;
}

#endif
