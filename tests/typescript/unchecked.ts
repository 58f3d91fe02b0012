// What must not compile: an optional part, read as if it were always there.
import type { paths } from "./web";

type ProductPage = paths["/product-page/{id}"]["get"]["responses"]["200"]["content"]["application/json"];

export function average(page: ProductPage): number {
  return page.reviews.average;
}
