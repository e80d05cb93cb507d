-- This file holds a release's reports beside presence and visitors against the numbers of reports.sql, and every
-- published number against the rules of protection that a reader with the true numbers can check.
--
--   shown_rows(series, us, day, place_no, class_no, people, status, finest)   the release's rows
--   must(series, us, day, place_no, class_no)    rows that have to stand; others only where a row `other` must stand
--   covered_no(place_no)                         the places and occasions that a cell serves
--   place_up(no, up), class_up(no, up)           the next one above; place_above, class_above: all above
--   holds(series, us, up_series, up_us)          periods within periods, themselves among them (visitors)

-- section: compare
CREATE TABLE compared_rows AS
  WITH rows_of AS (
    SELECT series, us, place_no, class_no, count(*) AS n, min(day) AS day, min(status) AS status,
           bool_and(status IS NOT NULL) AS has_status, min(people) AS people
    FROM shown_rows GROUP BY ALL),
  spread AS (SELECT series, us, place_no, day FROM must WHERE class_no = 1),
  joined AS (
    SELECT coalesce(m.series, r.series) AS series, coalesce(m.us, r.us) AS us, coalesce(m.place_no, r.place_no) AS place_no,
           coalesce(m.class_no, r.class_no) AS class_no, m.series IS NOT NULL AS due_row, m.day AS due_day,
           r.n AS copies, r.day, r.status, r.has_status, r.people
    FROM must m
    FULL JOIN rows_of r ON r.series = m.series AND r.us = m.us AND r.place_no = m.place_no AND r.class_no = m.class_no)
  SELECT j.series, j.us, j.place_no, j.class_no, j.status, j.people,
         coalesce(x.n, 0) AS n, coalesce(x.devices, 0) AS devices,
         CASE WHEN j.series = 11 THEN x.due ELSE round(coalesce(x.n, 0) * getvariable('factor'))::BIGINT END AS people_due,
         CASE
           WHEN copies IS NULL THEN 'no row'
           WHEN copies > 1 THEN 'more than one row'
           WHEN NOT due_row AND (s.series IS NULL OR j.class_no = 0 AND j.series NOT IN (8, 9)) THEN 'a row off the grid'
           WHEN j.day IS DISTINCT FROM coalesce(due_day, s.day) THEN 'in the folder of another date'
           WHEN NOT has_status OR j.status NOT IN ('published', 'withheld', 'no_coverage') THEN 'a status that is none of the three'
           WHEN c.place_no IS NULL AND j.status <> 'no_coverage' THEN 'no cell serves it, yet the status is not no_coverage'
           WHEN c.place_no IS NOT NULL AND j.status = 'no_coverage' THEN 'a cell serves it, yet the status is no_coverage'
           WHEN j.class_no = 1 AND j.status <> 'withheld' THEN 'a row `other` that is not withheld'
           WHEN NOT due_row AND j.status <> 'published' THEN 'a row below the total that is not published'
           WHEN j.status <> 'published' AND j.people IS NOT NULL THEN 'people in a row that is not published'
           WHEN j.status = 'published' AND j.people IS NULL THEN 'no people in a published row'
           WHEN j.status = 'published' AND coalesce(x.devices, 0) < getvariable('k') THEN 'published below k'
           WHEN j.status = 'published' AND j.people IS DISTINCT FROM people_due THEN 'people differ'
         END AS fault
  FROM joined j
  LEFT JOIN spread s ON s.series = j.series AND s.us = j.us AND s.place_no = j.place_no
  LEFT JOIN numbers x ON x.series = j.series AND x.us = j.us AND x.place_no = j.place_no AND x.class_no = j.class_no
  LEFT JOIN covered_no c ON c.place_no = j.place_no;

-- section: published
-- What a reader sees, with the true numbers behind it.
CREATE TABLE broken (rule VARCHAR, series INTEGER, us BIGINT, place_no INTEGER, class_no INTEGER, rest BIGINT);
CREATE TABLE pub AS
  SELECT DISTINCT r.series, r.us, r.place_no, r.class_no, x.n
  FROM shown_rows r JOIN numbers x ON x.series = r.series AND x.us = r.us AND x.place_no = r.place_no AND x.class_no = r.class_no
  WHERE r.status = 'published' AND r.series <> 11;
INSERT INTO pub
  SELECT n.series, n.us, n.place_no, 0, n.n
  FROM released r JOIN names p ON p.kind = 'place' AND p.level = r.level AND p.name = r.place
  JOIN numbers n ON n.us = r.us AND n.place_no = p.no
    AND n.series = CASE WHEN r.report = 'presence' THEN 1 WHEN r.period = 'hour' THEN 2 ELSE 3 END
  WHERE r.status = 'published';
-- A place's visitors, wherever in the release they stand.
CREATE TABLE totals AS
  SELECT series, us, place_no, n FROM pub WHERE series IN (2, 3)
  UNION SELECT 3, us, place_no, n FROM pub WHERE series = 5 AND class_no = 0
  UNION SELECT 7, us, place_no, n FROM pub WHERE series = 7 AND class_no = getvariable('days_0')
  UNION SELECT 12, us, place_no, n FROM pub WHERE series = 12;

-- section: rules
-- The residence of all is the number of the report that counts it: shown in both or in neither.
INSERT INTO broken
  SELECT 'shown in one report and withheld in another', r.series, r.us, r.place_no, 0, NULL
  FROM shown_rows r JOIN names p ON p.no = r.place_no
  JOIN released o ON o.us = r.us AND o.level = p.level AND o.place = p.name
    AND ((r.series = 4 AND o.report = 'presence') OR (r.series = 5 AND o.report = 'visitors' AND o.period = 'day'))
  WHERE r.class_no = 0 AND r.series IN (4, 5) AND o.status IS DISTINCT FROM r.status;
INSERT INTO broken
  SELECT 'shown in one measure and withheld in another', a.series, a.us, a.place_no, a.class_no, NULL
  FROM shown_rows a JOIN shown_rows v ON v.series = 12 AND v.place_no = a.place_no AND v.us = a.us
  WHERE a.series = 15 AND a.class_no = 0 AND a.status IS DISTINCT FROM v.status;

-- Finest: published, and nothing finer published there.
INSERT INTO broken
  WITH finer AS (SELECT DISTINCT r.series, r.us, r.place_no, a.up AS class_no FROM shown_rows r JOIN class_above a ON a.no = r.class_no
                 WHERE r.series IN (4, 5) AND r.status = 'published')
  SELECT 'finest is wrong', r.series, r.us, r.place_no, r.class_no, NULL
  FROM shown_rows r LEFT JOIN finer f ON f.series = r.series AND f.us = r.us AND f.place_no = r.place_no AND f.class_no = r.class_no
  WHERE r.series IN (4, 5) AND r.finest IS DISTINCT FROM (r.status = 'published' AND f.series IS NULL);

-- Visitors of nested places and periods differ by nothing or by k.
INSERT INTO broken
  WITH up AS (SELECT no, up FROM place_above UNION ALL SELECT no, no FROM names WHERE kind = 'place')
  SELECT 'visitors of nested groups', s.series, s.us, s.place_no, 0, b.n - s.n
  FROM totals s JOIN holds h ON h.series = s.series AND h.us = s.us JOIN up ON up.no = s.place_no
  JOIN totals b ON b.series = h.up_series AND b.us = h.up_us AND b.place_no = up.up
  WHERE b.n - s.n <> 0 AND b.n - s.n < getvariable('k');
INSERT INTO broken
  SELECT 'visitors by residence of nested places', s.series, s.us, s.place_no, s.class_no, b.n - s.n
  FROM pub s JOIN place_above up ON up.no = s.place_no
  JOIN pub b ON b.series = 5 AND b.us = s.us AND b.place_no = up.up AND b.class_no = s.class_no
  WHERE s.series = 5 AND b.n - s.n <> 0 AND b.n - s.n < getvariable('k');

-- Classes of one place: nothing below a withheld total, and what is not shown is nothing or k.
CREATE TABLE class_sums AS
  SELECT series, us, place_no, sum(n)::BIGINT AS n FROM pub
  WHERE series IN (6, 16) OR (series = 7 AND class_no <> getvariable('days_0')) GROUP BY ALL;
CREATE TABLE class_totals AS
  SELECT CASE series WHEN 3 THEN 6 WHEN 12 THEN 16 ELSE series END AS series, us, place_no, n FROM totals WHERE series IN (3, 7, 12);
INSERT INTO broken
  SELECT 'a class below a withheld total', c.series, c.us, c.place_no, NULL, c.n
  FROM class_sums c LEFT JOIN class_totals t USING (series, us, place_no)
  WHERE t.n IS NULL AND (c.series <> 6 OR getvariable('visitors_shown'));
INSERT INTO broken
  SELECT 'classes not shown', c.series, c.us, c.place_no, NULL, t.n - c.n
  FROM class_sums c JOIN class_totals t USING (series, us, place_no)
  WHERE t.n - c.n <> 0 AND t.n - c.n < getvariable('k');
-- At least so long, at least so often: nested places again.
INSERT INTO broken
  WITH tails AS (
    SELECT series, us, place_no, class_no, sum(n) OVER w AS n, count(*) OVER w AS shown,
           (CASE series WHEN 6 THEN getvariable('dwell_0') + 6 ELSE getvariable('days_0') + 5 END) - class_no + 1 AS there
    FROM pub WHERE series = 6 OR (series = 7 AND class_no <> getvariable('days_0'))
    WINDOW w AS (PARTITION BY series, us, place_no ORDER BY class_no DESC ROWS UNBOUNDED PRECEDING))
  SELECT 'at least so much in nested places', s.series, s.us, s.place_no, s.class_no, b.n - s.n
  FROM tails s JOIN place_above up ON up.no = s.place_no
  JOIN tails b ON b.series = s.series AND b.us = s.us AND b.class_no = s.class_no AND b.place_no = up.up
  WHERE s.shown = s.there AND b.shown = b.there AND b.n - s.n <> 0 AND b.n - s.n < getvariable('k');

-- Up-closed: with a number, those one step up on either side.
INSERT INTO broken
  SELECT 'shown below a place that is not', c.series, c.us, c.place_no, c.class_no, c.n
  FROM pub c JOIN place_up up ON up.no = c.place_no
  LEFT JOIN pub p ON p.series = c.series AND p.us = c.us AND p.place_no = up.up AND p.class_no = c.class_no
  WHERE p.n IS NULL AND ((c.series = 4 AND c.class_no <> 0 AND up.up <> 0) OR c.series IN (8, 9));
INSERT INTO broken
  SELECT 'shown below a class that is not', c.series, c.us, c.place_no, c.class_no, c.n
  FROM pub c JOIN (SELECT no, up, false AS place FROM class_up UNION ALL SELECT no, up, true FROM place_up) up
    ON up.no = c.class_no AND up.place = (c.series IN (8, 9))
  LEFT JOIN pub p ON p.series = c.series AND p.us = c.us AND p.class_no = up.up AND p.place_no = c.place_no
  WHERE p.n IS NULL AND c.series IN (4, 5, 8, 9, 15);
-- A number less those one step down, along either side, is nothing or k (trips of a day: k for each of its hours).
INSERT INTO broken
  WITH parts AS (SELECT c.series, c.us, up.up AS place_no, c.class_no, sum(c.n)::BIGINT AS n
                 FROM pub c JOIN place_up up ON up.no = c.place_no WHERE c.series IN (1, 4, 8, 9) GROUP BY ALL)
  SELECT 'places not shown', p.series, p.us, p.place_no, p.class_no, p.n - c.n
  FROM pub p JOIN parts c USING (series, us, place_no, class_no)
  WHERE p.n - c.n <> 0 AND p.n - c.n < getvariable('k') * CASE WHEN p.series = 9 THEN (SELECT count(*) FROM hours h JOIN day_bounds d ON h.us >= d.us AND h.us < d.past WHERE d.us = p.us) ELSE 1 END;
INSERT INTO broken
  WITH parts AS (SELECT c.series, c.us, c.place_no, up.up AS class_no, sum(c.n)::BIGINT AS n
                 FROM pub c JOIN (SELECT no, up, false AS place FROM class_up UNION ALL SELECT no, up, true FROM place_up) up
                   ON up.no = c.class_no AND up.place = (c.series IN (8, 9))
                 WHERE c.series IN (4, 5, 8, 9, 15) GROUP BY ALL)
  SELECT 'classes not shown', p.series, p.us, p.place_no, p.class_no, p.n - c.n
  FROM pub p JOIN parts c USING (series, us, place_no, class_no)
  WHERE p.n - c.n <> 0 AND p.n - c.n < getvariable('k') * CASE WHEN p.series = 9 THEN (SELECT count(*) FROM hours h JOIN day_bounds d ON h.us >= d.us AND h.us < d.past WHERE d.us = p.us) ELSE 1 END;
-- A day's trips less those of the hours shown: nothing, or k for each hour not shown.
INSERT INTO broken
  WITH shown AS (SELECT d.us, p.place_no, p.class_no, sum(p.n)::BIGINT AS n, count(*) AS hours
                 FROM pub p JOIN day_bounds d ON p.us >= d.us AND p.us < d.past WHERE p.series = 8 GROUP BY ALL),
  long AS (SELECT d.us, count(*) AS hours FROM hours h JOIN day_bounds d ON h.us >= d.us AND h.us < d.past GROUP BY ALL)
  SELECT 'hours not shown', 9, p.us, p.place_no, p.class_no, p.n - s.n
  FROM pub p JOIN shown s USING (us, place_no, class_no) JOIN long l USING (us)
  WHERE p.series = 9 AND p.n - s.n <> 0 AND p.n - s.n < getvariable('k') * (l.hours - s.hours);
-- An occasion beside the postal codes it touches (occasion_touches) and those it holds whole (occasion_wholes).
INSERT INTO broken
  WITH beside AS (
    SELECT o.us, o.place_no, o.n, count(*) AS touched, count(p.n) AS shown, sum(p.n) AS around
    FROM pub o JOIN occasion_touches t ON t.o_no = o.place_no
    LEFT JOIN pub p ON p.series = 1 AND p.us = o.us AND p.place_no = t.place_no AND p.class_no = 0
    WHERE o.series = 10 GROUP BY ALL),
  inside_of AS (
    SELECT o.us, o.place_no, o.n, sum(p.n) AS inside
    FROM pub o JOIN occasion_wholes t ON t.o_no = o.place_no
    JOIN pub p ON p.series = 1 AND p.us = o.us AND p.place_no = t.place_no AND p.class_no = 0
    WHERE o.series = 10 GROUP BY ALL)
  SELECT 'around the occasion', 10, us, place_no, 0, (around - n)::BIGINT FROM beside
  WHERE touched = shown AND around - n <> 0 AND around - n < getvariable('k')
  UNION ALL
  SELECT 'the rest of the occasion', 10, us, place_no, 0, (n - inside)::BIGINT FROM inside_of
  WHERE n - inside <> 0 AND n - inside < getvariable('k');

-- section: context
-- context_rows(us, day, level, place, visitors, presence, population, area_km2, v1000, vkm2, p1000, pkm2, status), census(level,
-- place, population, area_km2) and instant_days(us, day_us). Means and shares may differ by the last digits of a double.
CREATE OR REPLACE TEMP MACRO near(a, b) AS (a IS NULL AND b IS NULL)
  OR coalesce(abs(a - b) <= 1e-9 * greatest(1.0, abs(a), abs(b)), false);
CREATE OR REPLACE TEMP MACRO share(a, b) AS CASE WHEN b <> 0 THEN a::DOUBLE / b::DOUBLE END;
-- An area that the census does not give is the program's to find; the shares must be those of what it says.
CREATE TABLE context_compared AS
  WITH grid AS (SELECT d.us, d.day, n.level, n.name AS place, n.no FROM days d CROSS JOIN names n WHERE n.kind = 'place'),
  visitors AS (SELECT us, place_no, n, round(n * getvariable('factor')) AS people FROM numbers WHERE series = 3),
  presence AS (
    SELECT i.day_us AS us, place_no, min(n) AS least, count(*) AS instants, sum(round(n * getvariable('factor'))) AS people
    FROM numbers x JOIN instant_days i USING (us) WHERE x.series = 1 GROUP BY ALL),
  instants AS (SELECT day_us AS us, count(*) AS n FROM instant_days GROUP BY ALL),
  shown AS (
    SELECT i.day_us AS us, r.level, r.place, bool_and(r.status = 'published') AS published
    FROM released r JOIN instant_days i USING (us) WHERE r.report = 'presence' GROUP BY ALL),
  shown_day AS (SELECT us, level, place, min(status) AS status FROM released WHERE report = 'visitors' AND period = 'day' GROUP BY ALL),
  rows_of AS (SELECT us, level, place, count(*) AS copies, any_value(c) AS c FROM context_rows c GROUP BY ALL)
  SELECT coalesce(g.us, r.us) AS us, coalesce(g.level, r.level) AS level, coalesce(g.place, r.place) AS place,
         c.status, c.visitors, c.presence, coalesce(v.n, 0) AS devices, v.people AS visitors_due, p.people / i.n AS presence_due,
         CASE
           WHEN g.us IS NULL THEN 'a row off the grid'
           WHEN r.us IS NULL THEN 'no row'
           WHEN copies > 1 THEN 'more than one row'
           WHEN c.day IS DISTINCT FROM g.day THEN 'in the folder of another date'
           WHEN c.visitors IS NOT NULL AND coalesce(v.n, 0) < getvariable('k') THEN 'visitors below k'
           WHEN c.visitors IS NOT NULL AND c.visitors <> v.people THEN 'visitors differ'
           WHEN getvariable('has_visitors') AND (c.visitors IS NULL) <> coalesce(sd.status IS DISTINCT FROM 'published', true) THEN 'visitors shown in one report and not in the other'
           WHEN c.presence IS NOT NULL AND (coalesce(p.instants, 0) < i.n OR p.least < getvariable('k')) THEN 'presence with an instant below k'
           WHEN c.presence IS NOT NULL AND NOT near(c.presence, CASE WHEN getvariable('whole_presence') THEN round(p.people / i.n) ELSE p.people / i.n END) THEN 'presence differs'
           WHEN getvariable('has_presence') AND (c.presence IS NULL) <> coalesce(NOT sp.published, true) THEN 'presence shown in one report and not in the other'
           WHEN NOT near(c.population, s.population) OR (s.area_km2 IS NOT NULL AND NOT near(c.area_km2, s.area_km2)) THEN 'census figures differ'
           WHEN NOT near(c.v1000, share(c.visitors * 1000, s.population)) THEN 'visitors_per_1000 differs'
           WHEN NOT near(c.vkm2, share(c.visitors, c.area_km2)) THEN 'visitors_per_km2 differs'
           WHEN NOT near(c.p1000, share(c.presence * 1000, s.population)) THEN 'presence_per_1000 differs'
           WHEN NOT near(c.pkm2, share(c.presence, c.area_km2)) THEN 'presence_per_km2 differs'
           WHEN c.status IS DISTINCT FROM CASE WHEN c.visitors IS NOT NULL OR c.presence IS NOT NULL THEN 'published'
                WHEN k.place_no IS NULL THEN 'no_coverage' ELSE 'withheld' END THEN 'status differs'
         END AS fault
  FROM grid g FULL JOIN rows_of r ON r.us = g.us AND r.level = g.level AND r.place = g.place
  LEFT JOIN visitors v ON v.us = g.us AND v.place_no = g.no
  LEFT JOIN presence p ON p.us = g.us AND p.place_no = g.no
  LEFT JOIN instants i ON i.us = g.us
  LEFT JOIN shown sp ON sp.us = g.us AND sp.level = g.level AND sp.place = g.place
  LEFT JOIN shown_day sd ON sd.us = g.us AND sd.level = g.level AND sd.place = g.place
  LEFT JOIN census s ON s.level = g.level AND s.place = g.place
  LEFT JOIN covered_no k ON k.place_no = g.no;
