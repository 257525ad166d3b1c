-- wrk: a POST of 1 KB, like that of the other candidates.
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["x-api-key"] = "k"
wrk.body = '{"model":"m","messages":[{"role":"user","content":"' .. string.rep("x", 900) .. '"}]}'
