"""Tasks in Redis: their ids in order, a hash of titles, and the set of those that are done."""
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

IDS, TITLES, DONE, LAST = "tasks:ids", "tasks:titles", "tasks:done", "tasks:last"


class Store:
    def __init__(self, path):
        self.redis = redis.Redis(
            unix_socket_path=path, decode_responses=True, socket_timeout=2, retry=Retry(NoBackoff(), 1)
        )

    def up(self):
        try:
            return self.redis.ping()
        except redis.RedisError:
            return False

    def add(self, title):
        task = self.redis.incr(LAST)
        with self.redis.pipeline() as step:
            step.hset(TITLES, task, title).zadd(IDS, {task: task}).execute()
        return {"id": task, "title": title, "done": False}

    def newest(self, count):
        ids = self.redis.zrevrange(IDS, 0, count - 1)
        if not ids:
            return []
        with self.redis.pipeline(transaction=False) as step:
            titles, done = step.hmget(TITLES, ids).smismember(DONE, ids).execute()
        rows = zip(ids, titles, done)
        return [{"id": int(i), "title": t, "done": bool(d)} for i, t, d in rows if t is not None]

    def counts(self):
        with self.redis.pipeline(transaction=False) as step:
            total, done = step.zcard(IDS).scard(DONE).execute()
        return {"total": total, "done": done}

    def toggle(self, task):
        if not self.redis.hexists(TITLES, task):
            return False
        if not self.redis.sadd(DONE, task):
            self.redis.srem(DONE, task)
        return True

    def delete(self, task):
        with self.redis.pipeline() as step:
            found, *_ = step.hdel(TITLES, task).zrem(IDS, task).srem(DONE, task).execute()
        return bool(found)
