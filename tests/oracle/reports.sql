-- This file states the reports beside presence and visitors in SQL, from the intervals that oracle.sql makes.
-- reports.py makes the small tables named here and runs the sections that a release needs.
--
--   names(no, kind, level, name)          every place, class and occasion by number; no 0 is `all`, no 1 is `other`
--   lines(pc_no, level, place_no)         the places that hold a postal code, its own among them
--   class_lines(leaf_no, class_no)        the classes of residence that hold one, its own and `all` among them
--   day_bounds(day_no, us, past)          the local days of the window
--   numbers(series, us, place_no, class_no, n, devices, due)
--       n is what is counted (trips may be more than devices), due the people where they are not n times the factor
--
-- Series: 1 presence, 2 and 3 visitors by hour and day, 4 and 5 residence (presence by hour, visitors by day), 6 dwell,
-- 7 frequency, 8 and 9 flows by hour and day, 10 to 16 occasions (presence, typical, visitors, arrivals, departures,
-- residence, dwell), 17 context.

-- section: grounds
CREATE TABLE numbers (series INTEGER, us BIGINT, place_no INTEGER, class_no INTEGER, n BIGINT, devices BIGINT, due BIGINT);
-- How long a time in a place is, as the number of its class of dwell.
CREATE OR REPLACE TEMP MACRO dwell_class(us) AS getvariable('dwell_0') + CASE
  WHEN us < 900000000 THEN 0 WHEN us < 1800000000 THEN 1 WHEN us < 3600000000 THEN 2 WHEN us < 7200000000 THEN 3
  WHEN us < 14400000000 THEN 4 WHEN us < 28800000000 THEN 5 ELSE 6 END;
CREATE OR REPLACE TEMP MACRO days_class(n) AS getvariable('days_0') + CASE
  WHEN n = 1 THEN 1 WHEN n <= 3 THEN 2 WHEN n <= 7 THEN 3 WHEN n <= 14 THEN 4 ELSE 5 END;

-- section: day_time
-- The time of each subscriber in each postal code on each local day.
CREATE TABLE day_time AS
  SELECT day_no, pc_no, s, sum(least(v.b, d.past) - greatest(v.a, d.us))::BIGINT AS us
  FROM (
    SELECT s, pc_no, a, b, unnest(range(x.day_no, y.day_no + 1))::INTEGER AS day_no
    FROM intervals v
    ASOF JOIN day_bounds x ON v.a >= x.us
    ASOF JOIN day_bounds y ON (v.b - 1) >= y.us) v
  JOIN day_bounds d USING (day_no)
  GROUP BY ALL;

-- section: dwell (per level)
INSERT INTO numbers
  SELECT 6, d.us, place_no, class_no, n, n, NULL
  FROM (SELECT day_no, place_no, dwell_class(us) AS class_no, count(*) AS n
        FROM (SELECT day_no, place_no, s, sum(us) AS us FROM day_time
              JOIN (SELECT pc_no, place_no FROM lines WHERE level = getvariable('level')) USING (pc_no) GROUP BY ALL)
        GROUP BY ALL)
  JOIN day_bounds d USING (day_no);

-- section: frequency (per level)
CREATE OR REPLACE TEMP TABLE place_days AS
  SELECT DISTINCT day_no, place_no, s FROM day_time
  JOIN (SELECT pc_no, place_no FROM lines WHERE level = getvariable('level')) USING (pc_no);
INSERT INTO numbers
  SELECT 7, getvariable('from_us'), place_no, days_class(n), count(*), count(*), NULL
  FROM (SELECT place_no, s, count(*) AS n FROM place_days GROUP BY ALL) GROUP BY ALL;
INSERT INTO numbers
  SELECT 7, getvariable('from_us'), place_no, getvariable('days_0'), count(DISTINCT s), count(DISTINCT s), NULL
  FROM place_days GROUP BY ALL;
DROP TABLE place_days;

-- section: homes
-- listed_rows(sub BLOB, pc, commune) holds the residence table, mcc(mcc, country) the codes, residence_leaves(level, name, leaf_no)
-- the finest class of each code. A listed residence wins over the network; of two listed ones, the smallest code is taken.
CREATE TABLE listed AS
  SELECT r.sub, arg_min(coalesce(p.leaf_no, c.leaf_no), coalesce(r.pc, r.commune)) AS leaf_no
  FROM listed_rows r
  LEFT JOIN residence_leaves p ON p.level = 'postal_code' AND p.name = r.pc
  LEFT JOIN residence_leaves c ON c.level = 'commune' AND c.name = r.commune
  WHERE p.leaf_no IS NOT NULL OR c.leaf_no IS NOT NULL
  GROUP BY r.sub;
CREATE TABLE sub_home AS
  WITH codes AS (SELECT sub, min(mcc) AS mcc FROM home_codes GROUP BY sub)
  SELECT s.s, coalesce(l.leaf_no, f.leaf_no, getvariable('unknown_home'))::INTEGER AS leaf_no
  FROM subs s
  LEFT JOIN listed l USING (sub)
  LEFT JOIN codes c USING (sub)
  LEFT JOIN mcc m ON m.mcc = c.mcc
  LEFT JOIN residence_leaves f ON f.level = 'country' AND f.name = m.country;

-- section: residence_presence
INSERT INTO numbers
  WITH held_hours AS (
    SELECT v.s, v.pc_no, unnest(range(x.h + CASE WHEN x.us < v.a THEN 1 ELSE 0 END, y.h + 1))::INTEGER AS h
    FROM intervals v ASOF JOIN hours x ON v.a >= x.us ASOF JOIN hours y ON (v.b - 1) >= y.us),
  atoms AS (SELECT h, pc_no, leaf_no, count(*) AS n FROM held_hours JOIN sub_home USING (s) GROUP BY ALL),
  upward AS (SELECT h, place_no, leaf_no, sum(n) AS n FROM atoms JOIN lines USING (pc_no) GROUP BY ALL)
  SELECT 4, any_value(t.us), place_no, class_no, sum(n)::BIGINT, sum(n)::BIGINT, NULL
  FROM upward JOIN class_lines USING (leaf_no) JOIN hours t USING (h)
  GROUP BY h, place_no, class_no;

-- section: residence_visitors (per level)
INSERT INTO numbers
  SELECT 5, d.us, place_no, class_no, n, n, NULL
  FROM (SELECT day_no, place_no, class_no, count(*) AS n
        FROM (SELECT DISTINCT day_no, place_no, s FROM day_time
              JOIN (SELECT pc_no, place_no FROM lines WHERE level = getvariable('level')) USING (pc_no))
        JOIN sub_home USING (s) JOIN class_lines USING (leaf_no)
        GROUP BY ALL)
  JOIN day_bounds d USING (day_no);

-- section: trips
-- Stays over the whole context, with their full length; two long ones in a row in different postal codes are a trip.
CREATE TABLE trips AS
  WITH marked AS (
    SELECT s, pc_no, a, b,
           CASE WHEN lag(b) OVER w = a AND lag(pc_no) OVER w = pc_no THEN 0 ELSE 1 END AS fresh
    FROM held WINDOW w AS (PARTITION BY s ORDER BY a)),
  numbered AS (SELECT s, pc_no, a, b, sum(fresh) OVER (PARTITION BY s ORDER BY a ROWS UNBOUNDED PRECEDING) AS stay FROM marked),
  stays AS (SELECT s, stay, any_value(pc_no) AS pc_no, min(a) AS a, max(b) AS b FROM numbered GROUP BY s, stay),
  paired AS (
    SELECT s, pc_no AS d, a, lag(pc_no) OVER (PARTITION BY s ORDER BY a) AS o
    FROM stays WHERE b - a >= getvariable('min_stay')),
  moved AS (SELECT s, o, d, a FROM paired WHERE o <> d AND a >= getvariable('from_us') AND a < getvariable('end_us'))
  SELECT s, h.h, h.day, arg_max(m.o, m.a) AS o, arg_max(m.d, m.a) AS d
  FROM moved m ASOF JOIN hours h ON m.a >= h.us
  GROUP BY ALL;
CREATE TABLE ends AS SELECT pc_no, level, place_no FROM lines UNION ALL SELECT DISTINCT pc_no, 'all', 0 FROM lines;
INSERT INTO numbers
  WITH atoms AS (SELECT h, o, d, count(*) AS n FROM trips GROUP BY ALL),
  origins AS (SELECT h, e.place_no, d, sum(n) AS n FROM atoms JOIN ends e ON e.pc_no = o GROUP BY ALL)
  SELECT 8, any_value(t.us), x.place_no, e.place_no, sum(n)::BIGINT, sum(n)::BIGINT, NULL
  FROM origins x JOIN ends e ON e.pc_no = x.d JOIN hours t USING (h)
  GROUP BY h, x.place_no, e.place_no;
CREATE TABLE day_trips AS SELECT day_no, o, d, s, count(*) AS n FROM trips JOIN days USING (day) GROUP BY ALL;

-- section: flows_by_day (per level of origin and of destination)
INSERT INTO numbers
  SELECT 9, d.us, o_no, d_no, n, devices, NULL
  FROM (SELECT day_no, o.place_no AS o_no, e.place_no AS d_no, sum(n)::BIGINT AS n, count(DISTINCT s) AS devices
        FROM day_trips t
        JOIN (SELECT pc_no, place_no FROM ends WHERE level = getvariable('level')) o ON o.pc_no = t.o
        JOIN (SELECT pc_no, place_no FROM ends WHERE level = getvariable('to_level')) e ON e.pc_no = t.d
        GROUP BY ALL)
  JOIN day_bounds d USING (day_no);

-- section: occasions
-- occasions(o_no, start_us, w0, w1): [w0, w1) is the occasion's window cut to the run's. occasion_pcs(o_no, pc_no) and
-- occasion_cells(o_no, cell) are its area, typical_days(o_no, us, before_us) the same clock times of weeks before.
CREATE TABLE area_held AS
  SELECT o_no, s, a, b FROM held JOIN occasion_pcs USING (pc_no)
  UNION
  SELECT o_no, s, a, b FROM held JOIN cells USING (cell_no) JOIN occasion_cells USING (cell);
CREATE TABLE area_stays AS
  WITH marked AS (
    SELECT o_no, s, a, b, CASE WHEN lag(b) OVER (PARTITION BY o_no, s ORDER BY a) = a THEN 0 ELSE 1 END AS fresh FROM area_held),
  numbered AS (SELECT o_no, s, a, b, sum(fresh) OVER (PARTITION BY o_no, s ORDER BY a ROWS UNBOUNDED PRECEDING) AS stay FROM marked)
  SELECT o_no, s, min(a) AS a, max(b) AS b FROM numbered GROUP BY o_no, s, stay;
DROP TABLE area_held;
CREATE TABLE area_presence AS
  WITH cut AS (SELECT o_no, greatest(a, getvariable('from_us')) AS a, least(b, getvariable('end_us')) AS b FROM area_stays
               WHERE a < getvariable('end_us') AND b > getvariable('from_us'))
  SELECT o_no, i, count(*) AS n
  FROM (SELECT o_no, unnest(range(x.i + CASE WHEN x.us < v.a THEN 1 ELSE 0 END, y.i + 1))::INTEGER AS i
        FROM cut v ASOF JOIN instants x ON v.a >= x.us ASOF JOIN instants y ON (v.b - 1) >= y.us)
  GROUP BY ALL;
CREATE TABLE occasion_steps AS
  SELECT o_no, i, us FROM occasions o JOIN instants t ON t.us >= o.w0 AND t.us < o.w1;
INSERT INTO numbers
  SELECT 10, t.us, o_no, 0, p.n, p.n, NULL FROM occasion_steps t JOIN area_presence p USING (o_no, i);
INSERT INTO numbers
  SELECT 11, b.us, b.o_no, 0, NULL, min(coalesce(p.n, 0)), round(avg(round(coalesce(p.n, 0) * getvariable('factor'))))::BIGINT
  FROM typical_days b JOIN instants t ON t.us = b.before_us LEFT JOIN area_presence p ON p.o_no = b.o_no AND p.i = t.i
  GROUP BY b.o_no, b.us;
INSERT INTO numbers
  SELECT 13, t.us, o_no, 0, count(DISTINCT s), count(DISTINCT s), NULL
  FROM (SELECT a.o_no, s, i FROM area_stays a JOIN occasions o ON o.o_no = a.o_no AND a.a >= o.w0 AND a.a < o.w1
        ASOF JOIN instants t ON a.a >= t.us) JOIN occasion_steps t USING (o_no, i) GROUP BY ALL;
INSERT INTO numbers
  SELECT 14, t.us, o_no, 0, count(DISTINCT s), count(DISTINCT s), NULL
  FROM (SELECT a.o_no, s, i FROM area_stays a JOIN occasions o ON o.o_no = a.o_no AND a.b >= o.w0 AND a.b < o.w1
        ASOF JOIN instants t ON a.b >= t.us) JOIN occasion_steps t USING (o_no, i) GROUP BY ALL;
CREATE TABLE guests AS
  SELECT a.o_no, s, sum(least(a.b, o.w1) - greatest(a.a, o.w0))::BIGINT AS us
  FROM area_stays a JOIN occasions o ON o.o_no = a.o_no AND a.a < o.w1 AND a.b > o.w0 AND o.w0 < o.w1 GROUP BY ALL;
INSERT INTO numbers
  SELECT 12, o.start_us, o_no, 0, count(DISTINCT s), count(DISTINCT s), NULL FROM guests JOIN occasions o USING (o_no) GROUP BY ALL;
INSERT INTO numbers
  SELECT 15, o.start_us, o_no, class_no, count(*), count(*), NULL
  FROM guests JOIN occasions o USING (o_no) JOIN sub_home USING (s) JOIN class_lines USING (leaf_no) GROUP BY ALL;
INSERT INTO numbers
  SELECT 16, o.start_us, o_no, dwell_class(us), count(*), count(*), NULL FROM guests JOIN occasions o USING (o_no) GROUP BY ALL;

-- section: agreement
-- Sums that must agree, in these numbers themselves: any row here is a fault of this check or of what it stands on.
CREATE TABLE agreement AS
  WITH sums AS (
    SELECT 'dwell classes and the day''s visitors' AS what, 6 AS series, us, place_no, 0 AS class_no, sum(n) AS n FROM numbers WHERE series = 6 GROUP BY ALL
    UNION ALL SELECT 'frequency classes and the window''s visitors', 7, us, place_no, 0, sum(n) FROM numbers WHERE series = 7 AND class_no > getvariable('days_0') GROUP BY ALL
    UNION ALL SELECT 'residence presence and presence', 4, us, place_no, 0, n FROM numbers WHERE series = 4 AND class_no = 0
    UNION ALL SELECT 'countries and all (presence)', 40, us, place_no, 0, sum(n) FROM numbers WHERE series = 4 AND class_no IN (SELECT no FROM names WHERE kind = 'residence' AND level = 'country') GROUP BY ALL
    UNION ALL SELECT 'residence visitors and visitors', 5, us, place_no, 0, n FROM numbers WHERE series = 5 AND class_no = 0
    UNION ALL SELECT 'countries and all (visitors)', 50, us, place_no, 0, sum(n) FROM numbers WHERE series = 5 AND class_no IN (SELECT no FROM names WHERE kind = 'residence' AND level = 'country') GROUP BY ALL
    UNION ALL SELECT 'hours of flows and the day', 9, d.us, place_no, class_no, sum(n) FROM numbers n
      JOIN day_bounds d ON n.us >= d.us AND n.us < d.past WHERE series = 8 GROUP BY ALL
    UNION ALL SELECT 'occasion dwell and visitors', 16, us, place_no, 0, sum(n) FROM numbers WHERE series = 16 GROUP BY ALL
    UNION ALL SELECT 'occasion residence and visitors', 15, us, place_no, 0, n FROM numbers WHERE series = 15 AND class_no = 0),
  wholes AS (
    SELECT CASE series WHEN 3 THEN 6 WHEN 12 THEN 16 WHEN 4 THEN 40 WHEN 5 THEN 50 ELSE series END AS series, us, place_no,
           CASE WHEN series = 7 THEN 0 ELSE class_no END AS class_no, n
    FROM numbers WHERE (series IN (3, 4, 5, 12) AND class_no = 0) OR series = 9 OR (series = 7 AND class_no = getvariable('days_0'))
    UNION ALL SELECT 4, us, place_no, 0, n FROM numbers WHERE series = 1 AND us IN (SELECT us FROM hours)
    UNION ALL SELECT 5, us, place_no, 0, n FROM numbers WHERE series = 3
    UNION ALL SELECT 15, us, place_no, 0, n FROM numbers WHERE series = 12)
  SELECT what, series, us, place_no, class_no, s.n AS parts, w.n AS whole
  FROM sums s FULL JOIN wholes w USING (series, us, place_no, class_no)
  WHERE s.n IS DISTINCT FROM w.n AND series IN (SELECT unnest(getvariable('agreeing')));
