// A client of the web BFF, as an app developer would write it. `web.d.ts` is generated from openapi/web.json.
import type { components, paths } from "./web";

type ProductPage = paths["/product-page/{id}"]["get"]["responses"]["200"]["content"]["application/json"];
type Problem = components["schemas"]["Problem"];

export function headline(page: ProductPage): string {
  const name: string = page.product.name;
  // An optional part has to be looked at before it is read.
  const stars: string = page.reviews === null ? "no stars now" : `${page.reviews.average} stars`;
  const stock: number = page.stock?.total ?? 0;
  return `${name}: ${page.price.amount_minor / 100} ${page.price.currency}, ${stars}, ${stock} pieces`;
}

/** Sections to offer "try again" for. */
export function missing(page: ProductPage): string[] {
  return page.meta.parts.filter((part) => part.outcome === "missing").map((part) => part.part);
}

export async function productPage(id: string): Promise<ProductPage | Problem> {
  const answer = await fetch(`/product-page/${encodeURIComponent(id)}`);
  return answer.ok ? ((await answer.json()) as ProductPage) : ((await answer.json()) as Problem);
}

/** A retry of one section: the names are an enum of the document. */
export const retry: NonNullable<NonNullable<paths["/product-page/{id}"]["get"]["parameters"]["query"]>["parts"]> = ["reviews"];
