-- This file states SPEC sections 3 and 4 in SQL: from event rows to presence and visitors, and from those
-- to the differences with a release. The other reports follow in reports.sql, from the intervals made here. check.py sets the variables, makes the small tables it names
-- (listed under each section) and runs the sections in order; sections marked "per file" run once a file.
--
-- All times are BIGINT microseconds since 1970 in UTC. Variables, read with getvariable():
--   from_us, end_us  the window [local midnight of --from, local midnight after --to)
--   lo_us, hi_us     the window and its context, [from - 2 hold, end + 2 hold)
--   expired_us       local midnight 92 days before the as-of date
--   hold, k, factor  as in the configuration
-- Macro made by check.py: zone_utc(local) turns microseconds of the local clock into UTC; a time that the
-- clock shows twice is the earlier one, a time that it skips is read with the offset before the skip.

-- section: macros
CREATE OR REPLACE TEMP MACRO is_iso(s) AS regexp_full_match(s,
  '[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?');
CREATE OR REPLACE TEMP MACRO iso_zone(s) AS regexp_extract(substr(s, 17), '[Zz+-].*$');
-- The first 15 characters after the date reach to the microsecond: finer digits are cut, not rounded.
CREATE OR REPLACE TEMP MACRO iso_local(s, zone) AS epoch_us(try_cast(
  substr(s, 1, 10) || ' ' || substr(s, 12, least(length(s) - length(zone) - 11, 15)) AS TIMESTAMP));
CREATE OR REPLACE TEMP MACRO zone_offset(zone) AS CASE WHEN zone IN ('Z', 'z') THEN 0 ELSE
  (CASE WHEN zone[1] = '-' THEN -1 ELSE 1 END)
  * (try_cast(substr(zone, 2, 2) AS BIGINT) * 60
     + CASE WHEN length(zone) > 3 THEN try_cast(right(zone, 2) AS BIGINT) ELSE 0 END) * 60000000 END;
CREATE OR REPLACE TEMP MACRO floor_div(a, b) AS (a // b) - CASE WHEN a % b < 0 THEN 1 ELSE 0 END;
CREATE OR REPLACE TEMP MACRO epoch_int(v, unit) AS CASE
  WHEN unit = 's'  OR (unit = 'auto' AND abs(v) < 100000000000) THEN
    CASE WHEN abs(v) < 9000000000000 THEN v * 1000000 END
  WHEN unit = 'ms' OR (unit = 'auto' AND abs(v) < 100000000000000) THEN
    CASE WHEN abs(v) < 9000000000000000 THEN v * 1000 END
  WHEN unit = 'us' OR (unit = 'auto' AND abs(v) < 100000000000000000) THEN v
  ELSE floor_div(v, 1000) END;

-- section: tables
-- plan_rows(cell BLOB, pc VARCHAR, vf BIGINT, vt BIGINT) and tree(pc, commune, province, region, country)
-- and optout(sub BLOB) are there already.
-- A plan may hold overlapping rows for one cell: cut its validity at every border, take the smallest code.
CREATE TABLE cells AS
  SELECT cell, row_number() OVER (ORDER BY cell) AS cell_no FROM (SELECT DISTINCT cell FROM plan_rows);
CREATE TABLE plan AS
  WITH cuts AS (SELECT cell, vf AS u FROM plan_rows UNION SELECT cell, vt FROM plan_rows),
       cut_pairs AS (SELECT cell, u AS vf, lead(u) OVER (PARTITION BY cell ORDER BY u) AS vt FROM cuts)
  SELECT c.cell, c.cell_no, s.vf, s.vt, t.pc_no
  FROM (SELECT s.cell, s.vf, s.vt, min(p.pc) AS pc
        FROM cut_pairs s JOIN plan_rows p ON p.cell = s.cell AND p.vf <= s.vf AND p.vt >= s.vt
        WHERE s.vt IS NOT NULL GROUP BY ALL) s
  JOIN cells c USING (cell) JOIN tree t ON t.pc = s.pc;
CREATE TABLE used_rows (sub BLOB, t BIGINT, e BIGINT, cell_no BIGINT, pc_no INTEGER);
CREATE TABLE counts (file_no INTEGER, reason VARCHAR, n BIGINT);
-- The home network's country code, by subscriber: the smallest of its used rows, second copies among them.
CREATE TABLE home_codes (sub BLOB, mcc INTEGER);

-- section: file_rows (per file)
-- stage(t_given, t_utc, t_local, e_given, e_utc, e_local, sub, cell, kind_ok, mcc) is a view that check.py makes for the file.
-- One reason a row: the first that applies.
CREATE OR REPLACE TEMP TABLE judged AS
  WITH timed AS (
    SELECT t_given, e_given, sub, cell, kind_ok, mcc,
           coalesce(t_utc, zone_utc(t_local)) AS t, coalesce(e_utc, zone_utc(e_local)) AS e
    FROM stage)
  SELECT CASE
      WHEN (t_given AND t IS NULL) OR (e_given AND e IS NULL) OR e < t THEN 'malformed'
      WHEN t IS NULL OR r.sub IS NULL OR r.cell IS NULL THEN 'missing_field'
      WHEN NOT kind_ok THEN 'wrong_type'
      WHEN t < getvariable('expired_us') THEN 'expired'
      WHEN t >= getvariable('hi_us') OR coalesce(e, t) < getvariable('lo_us') THEN 'outside_window'
      WHEN o.sub IS NOT NULL THEN 'opted_out'
      WHEN p.cell_no IS NULL THEN 'unknown_cell'
      ELSE 'used' END AS reason,
    r.sub, r.t, r.e, p.cell_no, p.pc_no, r.mcc
  FROM timed r
  LEFT JOIN optout o ON o.sub = r.sub
  LEFT JOIN plan p ON p.cell = r.cell AND p.vf <= r.t AND r.t < p.vt;
INSERT INTO counts SELECT getvariable('file_no'), reason, count(*) FROM judged GROUP BY reason;
INSERT INTO used_rows SELECT sub, t, e, cell_no, pc_no FROM judged WHERE reason = 'used';
INSERT INTO home_codes SELECT sub, min(mcc) FROM judged WHERE reason = 'used' AND mcc IS NOT NULL GROUP BY sub;
DROP TABLE judged;

-- section: intervals
-- Numbers in place of identifiers, then one row per (subscriber, time, cell): the latest end stands.
CREATE TABLE subs AS SELECT sub, (row_number() OVER ())::INTEGER AS s FROM (SELECT DISTINCT sub FROM used_rows);
CREATE TABLE once AS
  SELECT s, t, cell_no::INTEGER AS cell_no, any_value(pc_no) AS pc_no, max(e) AS e
  FROM used_rows JOIN subs USING (sub) GROUP BY s, t, cell_no;
INSERT INTO counts
  SELECT NULL, 'duplicate', (SELECT count(*) FROM used_rows) - (SELECT count(*) FROM once);
DROP TABLE used_rows;
-- A session is its start, every hold after it that is before its end, and its end; each is placed by the plan of its own time.
CREATE TABLE marks AS
  SELECT s, t, cell_no, pc_no FROM once WHERE e IS NULL
  UNION ALL
  SELECT x.s, x.t, x.cell_no, p.pc_no
  FROM (
    SELECT s, cell_no, unnest(list_append(
        list_transform(range(
            greatest(0, (getvariable('lo_us') - t + getvariable('hold') - 1) // getvariable('hold')),
            greatest(0, (least(e, getvariable('hi_us')) - t + getvariable('hold') - 1) // getvariable('hold'))),
          lambda j: t + j * getvariable('hold')),
        e)) AS t
    FROM once WHERE e IS NOT NULL) x
  JOIN plan p ON p.cell_no = x.cell_no AND p.vf <= x.t AND x.t < p.vt
  WHERE x.t >= getvariable('lo_us') AND x.t < getvariable('hi_us');
DROP TABLE once;
-- The time nearest to each event, up to hold away; an interval without length is none.
CREATE TABLE held AS
  WITH beside AS (
    SELECT s, pc_no, cell_no, t, lag(t) OVER w AS before, lead(t) OVER w AS after
    FROM marks WINDOW w AS (PARTITION BY s ORDER BY t, cell_no)),
  bounds AS (
    SELECT s, pc_no, cell_no,
      CASE WHEN before IS NULL OR t - before > 2 * getvariable('hold') THEN t - getvariable('hold')
           ELSE before + (t - before) // 2 END AS a,
      CASE WHEN after IS NULL OR after - t > 2 * getvariable('hold') THEN t + getvariable('hold')
           ELSE t + (after - t) // 2 END AS b
    FROM beside)
  SELECT s, pc_no, cell_no, a, b FROM bounds WHERE a < b;
DROP TABLE marks;
-- The same, cut to the window.
CREATE VIEW intervals AS
  SELECT s, pc_no, cell_no, greatest(a, getvariable('from_us')) AS a, least(b, getvariable('end_us')) AS b
  FROM held WHERE a < getvariable('end_us') AND b > getvariable('from_us');

-- section: grounds
-- expected(report, period, us, level, place, devices): every number of presence and visitors that is not nought.
CREATE TABLE expected (report VARCHAR, period VARCHAR, us BIGINT, level VARCHAR, place VARCHAR, devices BIGINT);

-- section: measures
-- instants(i, us, day), hours(h, us, day) and days(day, us) are there already; ticks are the instants and hour starts together.
CREATE TABLE ticks AS
  SELECT u.us,
         (SELECT count(*) FROM instants i WHERE i.us < u.us) AS instants_before,
         (EXISTS (SELECT 1 FROM instants i WHERE i.us = u.us))::INTEGER AS is_instant,
         (SELECT max(h) FROM hours h WHERE h.us <= u.us) AS h
  FROM (SELECT us FROM instants UNION SELECT us FROM hours) u;
-- For each interval [a, b): the instants first_i <= i < past_i it holds, the hours first_h <= h < past_h it overlaps.
CREATE TABLE spans AS
  SELECT v.s, v.pc_no,
         (x.instants_before + CASE WHEN x.us < v.a THEN x.is_instant ELSE 0 END)::INTEGER AS first_i,
         (y.instants_before + y.is_instant)::INTEGER AS past_i,
         x.h::INTEGER AS first_h, (y.h + 1)::INTEGER AS past_h
  FROM intervals v
  ASOF JOIN ticks x ON v.a >= x.us
  ASOF JOIN ticks y ON (v.b - 1) >= y.us;

CREATE TABLE presence_pc AS
  SELECT i, pc_no, count(*) AS devices
  FROM (SELECT pc_no, unnest(range(first_i, past_i)) AS i FROM spans WHERE past_i > first_i) GROUP BY ALL;
CREATE TABLE visits AS
  SELECT DISTINCT h, pc_no, s FROM (SELECT s, pc_no, unnest(range(first_h, past_h))::INTEGER AS h FROM spans);
DROP TABLE spans;
CREATE TABLE day_visits AS
  SELECT DISTINCT d.day_no, v.pc_no, v.s FROM visits v JOIN hours USING (h) JOIN days d USING (day);

CREATE TABLE ancestors AS
  SELECT pc_no, unnest([
    {level: 'postal_code', place: pc}, {level: 'commune', place: commune}, {level: 'province', place: province},
    {level: 'region', place: region}, {level: 'country', place: country}], recursive := true)
  FROM tree;
DELETE FROM ancestors WHERE place IS NULL;
ALTER TABLE ancestors ADD COLUMN place_no INTEGER;
UPDATE ancestors SET place_no = n.n FROM
  (SELECT level, place, row_number() OVER () AS n FROM (SELECT DISTINCT level, place FROM ancestors)) n
  WHERE n.level = ancestors.level AND n.place = ancestors.place;
CREATE TABLE place_names AS SELECT DISTINCT place_no, level, place FROM ancestors;
INSERT INTO expected
  SELECT 'presence', 'instant', t.us, a.level, a.place, sum(p.devices)
  FROM presence_pc p JOIN instants t USING (i) JOIN ancestors a USING (pc_no) GROUP BY ALL;

-- section: visitors (per level)
-- Distinct subscribers by place of one level: visitors do not add up.
INSERT INTO expected
  SELECT 'visitors', 'hour', t.us, n.level, n.place, v.devices
  FROM (SELECT h, place_no, count(*) AS devices
        FROM (SELECT DISTINCT v.h, a.place_no, v.s FROM visits v
              JOIN (SELECT pc_no, place_no FROM ancestors WHERE level = getvariable('level')) a USING (pc_no))
        GROUP BY ALL) v
  JOIN hours t USING (h) JOIN place_names n USING (place_no);
INSERT INTO expected
  SELECT 'visitors', 'day', d.us, n.level, n.place, v.devices
  FROM (SELECT day_no, place_no, count(*) AS devices
        FROM (SELECT DISTINCT v.day_no, a.place_no, v.s FROM day_visits v
              JOIN (SELECT pc_no, place_no FROM ancestors WHERE level = getvariable('level')) a USING (pc_no))
        GROUP BY ALL) v
  JOIN days d USING (day_no) JOIN place_names n USING (place_no);

-- section: compare
-- released(report, period, us, day, level, place, people, status) and places(level, place) and
-- times(report, period, us, day) and expected are there already. covered(level, place) holds the places a cell serves.
CREATE TABLE compared AS
  WITH grid AS (SELECT t.report, t.period, t.us, t.day, p.level, p.place FROM times t CROSS JOIN places p),
  rows_of AS (
    SELECT report, period, us, level, place, count(*) AS n, min(day) AS day, min(status) AS status,
           bool_and(status IS NOT NULL) AS has_status, min(people) AS people
    FROM released GROUP BY ALL)
  SELECT coalesce(g.report, r.report) AS report, coalesce(g.period, r.period) AS period,
         coalesce(g.level, r.level) AS level, coalesce(g.us, r.us) AS us, coalesce(g.place, r.place) AS place,
         coalesce(x.devices, 0) AS devices, r.status, r.people,
         round(coalesce(x.devices, 0) * getvariable('factor'))::BIGINT AS due,
         CASE
           WHEN g.us IS NULL THEN 'a row off the grid'
           WHEN r.n IS NULL THEN 'no row'
           WHEN r.n > 1 THEN 'more than one row'
           WHEN r.day IS DISTINCT FROM g.day THEN 'in the folder of another date'
           WHEN NOT r.has_status OR r.status NOT IN ('published', 'withheld', 'no_coverage') THEN 'a status that is none of the three'
           WHEN c.place IS NULL AND r.status <> 'no_coverage' THEN 'no cell serves it, yet the status is not no_coverage'
           WHEN c.place IS NOT NULL AND r.status = 'no_coverage' THEN 'a cell serves it, yet the status is no_coverage'
           WHEN r.status <> 'published' AND r.people IS NOT NULL THEN 'people in a row that is not published'
           WHEN r.status = 'published' AND r.people IS NULL THEN 'no people in a published row'
           WHEN r.status = 'published' AND coalesce(x.devices, 0) < getvariable('k') THEN 'published below k'
           WHEN r.status = 'published' AND r.people <> due THEN 'people differ'
         END AS fault
  FROM grid g
  FULL JOIN rows_of r ON r.report = g.report AND r.period = g.period AND r.us = g.us AND r.level = g.level AND r.place = g.place
  LEFT JOIN expected x ON x.report = g.report AND x.period = g.period AND x.us = g.us AND x.level = g.level AND x.place = g.place
  LEFT JOIN covered c ON c.level = g.level AND c.place = g.place;
