"""Draws the map of the README: presence in and around Ghent at noon, from the release of the bundled sample.

    pip install geopandas matplotlib pandas pyarrow
    python docs/map.py release docs/ghent-noon.png
"""
import sys

import geopandas
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

release, picture = sys.argv[1:]
shapes = geopandas.read_file("crates/ingest/data/belgium/boundaries/postal_codes.geojson")
presence = pd.read_parquet(f"{release}/presence")
noon = presence[(presence.level == "postal_code") & (presence.instant == pd.Timestamp("2026-10-15 12:00", tz="Europe/Brussels"))]
places = shapes.merge(noon, left_on="postal_code", right_on="place").to_crs(31370)
fig, axes = plt.subplots(figsize=(8.2, 5.6), dpi=110)
places[places.status == "no_coverage"].plot(ax=axes, color="#f2f2f2", edgecolor="white", linewidth=0.5)
places[places.status == "withheld"].plot(ax=axes, color="#d9d9d9", edgecolor="#8c8c8c", hatch="////", linewidth=0.5)
published = places[places.status == "published"].assign(people=lambda p: p.people.astype(float))
published.plot(ax=axes, column="people", cmap="viridis_r", edgecolor="white", linewidth=0.5, norm=matplotlib.colors.LogNorm(vmin=30), legend=True,
               legend_kwds={"label": "people present", "shrink": 0.7})
seen = places[places.status != "no_coverage"].total_bounds
axes.set_xlim(seen[0] - 2000, seen[2] + 2000)
axes.set_ylim(seen[1] - 2000, seen[3] + 2000)
axes.set_axis_off()
axes.legend(handles=[matplotlib.patches.Patch(facecolor="#d9d9d9", edgecolor="#8c8c8c", hatch="////", label="withheld"),
                     matplotlib.patches.Patch(facecolor="#f2f2f2", edgecolor="#8c8c8c", label="no coverage")], loc="lower right", frameon=False)
axes.set_title("Presence by postal code, 2026-10-15 12:00 (synthetic sample, k = 30)", fontsize=11)
fig.tight_layout()
fig.savefig(picture)
